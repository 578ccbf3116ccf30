"""The run screen in a real terminal: what is drawn, what keys do, what is left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from launcher.runs.folder import RunFolder
from launcher.runs.state import liveness, read_state
from tests.fake_nvml import no_driver_environment
from tests.launcher.run_samples import ended_state, wait_until
from tests.models import smollm2, tiny_model
from tests.terminal import Terminal, needs_tmux

__all__ = ["smollm2", "tiny_model"]

pytestmark = needs_tmux

REPOSITORY = Path(__file__).parents[4]


def launching(tmp_path: Path, *, size: tuple[int, int] = (80, 24), **behaviour: object) -> Terminal:
    """A launch of the fake worker on a terminal."""
    path = tmp_path / "runs" / "a-lora-01"
    return Terminal(
        [sys.executable, "-m", "tests.launcher.cli.launching", str(path)],
        folder=tmp_path,
        size=size,
        environment={"PYTHONPATH": str(REPOSITORY), "FAKE_WORKER": json.dumps(behaviour)},
    )


def watching(tmp_path: Path, **environment: str) -> Terminal:
    """`tlplan watch` on a terminal of its own."""
    return Terminal(
        [sys.executable, "-m", "launcher", "watch", "a-lora-01"],
        folder=tmp_path,
        environment={"PYTHONPATH": str(REPOSITORY)} | environment,
    )


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """Where the run of a test will be."""
    return RunFolder(tmp_path / "runs" / "a-lora-01")


def test_leaving_and_coming_back(tmp_path: Path, folder: RunFolder) -> None:
    """D leaves the run alone and says how to return; watch shows it; Enter ends with its result."""
    with launching(tmp_path, hold_after=2) as terminal:
        terminal.wait_for("training, step 2 of 5", "predicted 2.00", "d Leave it running")
        terminal.press("d")
        assert terminal.wait_for_exit() == 0
        left = terminal.text().splitlines()
        assert left[0] == "The run goes on: tlplan watch a-lora-01, tlplan stop a-lora-01"

    assert liveness(folder) == "running"
    with watching(tmp_path) as terminal:
        terminal.wait_for("training, step 2 of 5")
        (folder.path / "go").touch()
        terminal.wait_for("finished in", "Done. The adapter", "enter Close")
        terminal.press("Enter")
        assert terminal.wait_for_exit() == 0
        assert "held out  4.500 -> 0.500" in terminal.text()


def test_saving_and_stopping(tmp_path: Path, folder: RunFolder) -> None:
    """S asks; Enter changes nothing; y saves and stops with 75, and the end is shown."""
    with launching(tmp_path, hold_after=2) as terminal:
        terminal.wait_for("training, step 2 of 5")
        terminal.press("s")
        terminal.wait_for("Save and stop this run?", "tlplan resume a-lora-01")
        terminal.press("Enter")
        terminal.press("s")
        terminal.wait_for("Save and stop this run?")
        assert liveness(folder) == "running"
        terminal.press("y")
        terminal.wait_for("Stopped on request at step 2 of 5", "go on as it is")
        terminal.press("Escape")
        assert terminal.wait_for_exit() == 75
        assert "tlplan resume a-lora-01" in terminal.text()


def test_ctrl_c_asks_and_ctrl_c_again_stops(tmp_path: Path, folder: RunFolder) -> None:
    """Nobody loses a run to one key, nobody is held up by two."""
    with launching(tmp_path, hold_after=2) as terminal:
        terminal.wait_for("training, step 2 of 5")
        terminal.press("C-c")
        terminal.wait_for("Save and stop this run?")
        terminal.press("C-c")
        terminal.wait_for("Stopped on request")
        terminal.press("C-c")
        assert terminal.wait_for_exit() == 75
    assert ended_state(folder).exit_code == 75


def test_going_on_from_the_end(tmp_path: Path, folder: RunFolder) -> None:
    """Enter on the offered step resumes the run, and the screen shows it again."""
    with launching(tmp_path, hold_after=2) as terminal:
        terminal.wait_for("training, step 2 of 5")
        terminal.press("s", "y")
        terminal.wait_for("Stopped on request", "go on as it is, from its first step")
        # The real worker would be started: what it says of the stand-in's model is enough here.
        terminal.press("Enter")
        terminal.wait_for("attempt 2")
        wait_until(lambda: (state := read_state(folder)) is not None and state.attempt == 2)
        terminal.press("C-c")


def test_the_screen_follows_its_terminal(tmp_path: Path, folder: RunFolder) -> None:
    """Wide, small, nearly nothing and back: nothing is lost, no line is cut off."""
    with launching(tmp_path, hold_after=2) as terminal:
        terminal.wait_for("training, step 2 of 5")
        terminal.resize(120, 40)
        terminal.wait_for("Memory at the peak, GiB", "Numbers")
        terminal.resize(40, 8)
        terminal.wait_for("The screen needs 60 x 16")
        terminal.resize(5, 2)
        terminal.resize(60, 16)
        seen = terminal.wait_for("predicted 2.00", "d Leave it running")
        assert max(map(len, seen.splitlines())) <= 60
        terminal.press("d")
        assert terminal.wait_for_exit() == 0
    (folder.path / "go").touch()
    ended_state(folder)


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({"TERM": "dumb"}, "step 1 of 5, loss 4.000"),
        ({"NO_COLOR": "1"}, "d Leave it running"),
        ({"LC_ALL": "C"}, "d Leave it running"),
    ],
    ids=["dumb", "no colour", "no unicode"],
)
def test_lesser_terminals(
    environment: dict[str, str], shown: str, tmp_path: Path, folder: RunFolder
) -> None:
    """Plain lines where nothing can be drawn, no colour where none is wanted, ASCII where asked."""
    with launching(tmp_path, hold_after=2) as first:
        first.wait_for("training, step 2 of 5")
        with watching(tmp_path, **environment) as terminal:
            seen = terminal.wait_for(shown)
            if "TERM" in environment:
                assert seen.startswith("run runs/a-lora-01\n")
            if "NO_COLOR" in environment:
                drawn = terminal.text(colours=True)
                assert "\x1b[1m" in drawn
                assert re.findall(r"\x1b\[(?:3[0-8]|4[0-8]|9|10)[0-9;]*m", drawn) == []
            if "LC_ALL" in environment:
                assert seen.isascii()
    os.kill(read_state(folder).supervisor_pid, signal.SIGTERM)  # type: ignore[union-attr]
    ended_state(folder)


@pytest.mark.training
@pytest.mark.timeout(600)
def test_a_real_training_shows_nothing_but_the_screen(tmp_path: Path, tiny_model: Path) -> None:
    """From the first to the last look: title on top, keys at the bottom, no library's word."""
    rows = (REPOSITORY / "launcher" / "demo" / "tickets.jsonl").read_text().splitlines()[:24]
    (tmp_path / "train.jsonl").write_text("\n".join(rows) + "\n")
    words = ["launch", "--model", str(tiny_model), "--data", "train.jsonl", "--method", "lora"]
    words += ["--max-steps", "6", "--batch", "2", "--accumulate", "1", "--yes"]
    seen: set[str] = set()

    with Terminal(
        [sys.executable, "-m", "launcher", *words],
        folder=tmp_path,
        environment={"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
        | {name: no_driver_environment()[name] for name in ("LD_LIBRARY_PATH",)},
    ) as terminal:
        terminal.wait_for("d Leave it running")
        while "Done. The adapter" not in (screen := terminal.text()):
            seen.add(screen)
            assert "exited with" not in screen, screen
            time.sleep(0.1)
        terminal.wait_for("enter Close", "peak")
        terminal.press("Enter")
        assert terminal.wait_for_exit() == 0

    assert len(seen) >= 3
    for screen in seen:
        lines = screen.splitlines()
        assert len(lines) <= 24
        assert lines[0].startswith((" smollm2-135m-instruct-2-layers · lora", " tlplan")), screen
        assert "Log" in lines[-1], screen
        assert "it/s" not in screen
    assert any(" of 6" in screen and "predicted" in screen for screen in seen)
