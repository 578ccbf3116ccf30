"""launcher/cli/watch.py: coming back to a run, live or ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.cli import watch
from launcher.errors import UsageError
from launcher.runs.folder import RunFolder
from launcher.runs.starting import start_run
from launcher.runs.state import liveness, read_state, write_state
from tests.launcher.cli.conftest import Command
from tests.launcher.run_samples import (
    ended_state,
    fake_supervision,
    sample_run,
    sample_state,
    wait_until,
)
from tests.launcher.view.recordings import finished, on_a_card, write


@pytest.fixture
def held_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run that waits behind its second step until it may go on."""
    monkeypatch.setenv("FAKE_WORKER", '{"hold_after": 2}')
    folder = sample_run(tmp_path / "runs" / "a-lora-01")
    start_run(folder, settings=fake_supervision())
    wait_until((folder.path / "holding").exists)
    return folder


def test_watching_a_finished_run_shows_its_result(
    held_run: RunFolder, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same lines as at its launch, and its exit code."""
    (held_run.path / "go").touch()
    ended_state(held_run)

    assert command(watch) == 0

    out = capsys.readouterr().out
    assert out.startswith("run runs/a-lora-01")
    assert "held out  4.500 -> 0.500" in out


def test_watching_a_live_run_stays_until_its_end(
    held_run: RunFolder, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """What happens after the watch began is shown as well."""
    (held_run.path / "go").touch()

    assert command(watch, "a-lora-01", "--json") == 0

    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["type"] == "finished"


def test_leaving_the_view_leaves_the_run_alone(held_run: RunFolder) -> None:
    """Ctrl-C ends the watch with 0; the run goes on and the view says so."""
    root = str(Path(__file__).parents[3])
    code = (
        "import argparse, sys\n"
        "from launcher.cli import watch\n"
        "sys.exit(watch.run(argparse.Namespace(run=sys.argv[1], json=False)))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(held_run.path)],
        env=dict(os.environ) | {"PYTHONPATH": root},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()

    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)

    assert process.returncode == 0
    assert out.endswith(
        f"The run goes on: tlplan watch {held_run.typed}, tlplan stop {held_run.typed}\n"
    )
    assert liveness(held_run) == "running"
    (held_run.path / "go").touch()
    ended_state(held_run)


def test_a_run_whose_supervisor_was_killed_is_said_to_be_lost(
    held_run: RunFolder, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody waits for ever for a run that nobody looks after."""
    state = read_state(held_run)
    assert state is not None
    os.kill(state.supervisor_pid, signal.SIGKILL)

    assert command(watch) == 1

    err = capsys.readouterr().err
    assert err.startswith("error: nobody looks after a-lora-01 any more")
    assert "hint:  tlplan resume a-lora-01" in err


def test_an_unknown_run_is_a_usage_error(command: Command) -> None:
    """The name is in the message."""
    with pytest.raises(UsageError, match='no run named "nothing"'):
        command(watch, "nothing")


def test_watching_an_interrupted_run_returns_75(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """How it goes on is said."""
    folder = sample_run(tmp_path / "runs" / "a-lora-01")
    write_state(folder, sample_state(exit_code=75))

    assert command(watch) == 75

    assert capsys.readouterr().out.endswith("  tlplan resume a-lora-01\n")


def test_events_that_were_copied_here_can_be_watched(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log alone tells the run again, and how it ended."""
    write(tmp_path / "events.jsonl", finished(on_a_card(steps=3)).events)

    assert command(watch, str(tmp_path / "events.jsonl")) == 0

    out = capsys.readouterr().out
    assert "step 1 of 185" in out
    assert "held out  3.610 -> 1.349" in out
