"""The real binary in a real terminal: five Enters to a real training, and terminals that cannot."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.runs.folder import all_runs
from launcher.runs.state import liveness
from launcher.view.stopping import send_stop
from tests.fake_nvml import no_driver_environment
from tests.launcher.cli.program import REPOSITORY, plain_environment, tlplan
from tests.launcher.run_samples import wait_until
from tests.models import smollm2, tiny_model

__all__ = ["smollm2", "tiny_model"]


class Terminal:
    """A tmux session of its own server, 80 by 24."""

    def __init__(self, folder: Path, *, no_color: bool = False) -> None:
        self._socket = str(folder / "tmux.socket")
        environment = plain_environment(no_driver_environment())
        kept = ("LD_LIBRARY_PATH", "PYTHONPATH", "LANG", "PATH", "HOME", "XDG_DATA_HOME")
        words = [f"{name}={environment[name]}" for name in kept if name in environment]
        words += ["NO_COLOR=1"] if no_color else []
        program = shlex.join(["env", *words, sys.executable, "-P", "-m", "launcher"])
        self._tmux(
            *("new-session", "-d", "-x", "80", "-y", "24", "-c", str(folder)),
            f"{program}; echo code $?; exec sleep 1000",
        )

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, "-f", os.devnull, *words],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    def text(self, *, escapes: bool = False) -> str:
        """What is on the screen."""
        return self._tmux("capture-pane", "-p", *(["-e"] if escapes else []))

    def wait_for(self, words: str, seconds: float = 120.0) -> None:
        """Look until it is there."""
        wait_until(lambda: words in self.text(), seconds=seconds)

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names."""
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type a text at once, as a person pastes it."""
        self._tmux("send-keys", "-l", text)

    def close(self) -> None:
        """End the server and all in it."""
        self._tmux("kill-server")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """The wizard in a terminal."""
    assert shutil.which("tmux"), "tmux is needed: apt install tmux"
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


@pytest.mark.training
@pytest.mark.timeout(600)
def test_five_enters_in_a_terminal_reach_a_running_fine_tune(
    terminal: Terminal, tmp_path: Path, tiny_model: Path
) -> None:
    """Model and path are typed; the run goes on when its screen is left, and the shell is clean."""
    shutil.copytree(tiny_model, tmp_path / "tiny")
    rows = (REPOSITORY / "launcher" / "demo" / "tickets.jsonl").read_text().splitlines()[:40]
    (tmp_path / "train.jsonl").write_text("\n".join(rows) + "\n")

    terminal.wait_for("CPU  ")
    terminal.press("Enter")
    terminal.wait_for("Which model?")
    terminal.type("./tiny")
    terminal.press("Enter")
    terminal.wait_for("Enter goes on")
    terminal.press("Enter")
    terminal.wait_for("learn from?")
    terminal.type("tr")
    terminal.press("Tab")
    terminal.wait_for("Should you fine-tune?")
    terminal.press("Enter")
    terminal.wait_for("How should it train?")
    terminal.press("Enter")
    terminal.wait_for("read just now")
    terminal.press("Enter")
    terminal.wait_for("predicted")
    terminal.press("d")
    terminal.wait_for("code 0")

    assert "The run goes on" in terminal.text()
    (run,) = all_runs(tmp_path / "runs")
    assert liveness(run) == "running"
    send_stop(run)
    wait_until(lambda: liveness(run) != "running", seconds=120)


def test_without_colour_nothing_is_painted(tmp_path: Path) -> None:
    """NO_COLOR leaves bold and reverse, and every word is still there."""
    terminal = Terminal(tmp_path, no_color=True)
    try:
        terminal.wait_for("CPU  ")
        painted = terminal.text(escapes=True)
        terminal.press("C-q")
        terminal.wait_for("code 0")
    finally:
        terminal.close()

    for number in re.findall(r"[34]8;5;(\d+)", painted):
        assert int(number) in (16, 231, *range(232, 256)), f"colour {number} is no grey"
    assert not re.findall(r"\x1b\[(?:[39]|10)[1-6]m", painted)


def test_a_dumb_terminal_gets_the_usage(tmp_path: Path) -> None:
    """TERM=dumb and no terminal at all: usage on stderr, exit code 2."""
    for variables in ({"TERM": "dumb"}, {}):
        answer = tlplan(folder=tmp_path, **variables)
        assert answer.code == 2
        assert answer.out == ""
        assert "the wizard needs a terminal" in answer.err
