"""launcher/cli/stop.py: one command that saves and ends a run."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.cli import stop
from launcher.errors import UsageError
from launcher.runs.events import iso_time
from launcher.runs.starting import start_run
from launcher.runs.state import liveness, write_state
from tests.launcher.cli.conftest import Command
from tests.launcher.run_samples import fake_supervision, sample_run, sample_state, wait_until


def test_stop_waits_until_the_run_has_saved_and_ended(
    tmp_path: Path,
    command: Command,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Afterwards the run is interrupted, and the way on is named; exit 0."""
    monkeypatch.setenv("FAKE_WORKER", '{"hold_after": 2}')
    folder = sample_run(tmp_path / "runs" / "a-lora-01")
    start_run(folder, settings=fake_supervision())
    wait_until((folder.path / "holding").exists)

    assert command(stop, "a-lora-01") == 0

    assert liveness(folder) == "interrupted"
    assert capsys.readouterr().out == (
        "stopping a-lora-01 after this step and saving\n"
        "stopped at step 2; tlplan resume a-lora-01 goes on from step 0\n"
    )


def test_a_run_on_another_machine_is_stopped_there(tmp_path: Path, command: Command) -> None:
    """Nothing here can be signalled; the command that can is named."""
    folder = sample_run(tmp_path / "runs" / "a-lora-01")
    heard = replace(sample_state(), host="node-7", heartbeat=iso_time(time.time()))
    write_state(folder, heard)

    with pytest.raises(UsageError, match="a-lora-01 runs on node-7") as refused:
        command(stop, "a-lora-01")

    assert refused.value.hints == (f"ssh node-7 tlplan stop {folder.path}",)


@pytest.mark.parametrize(("code", "word"), [(0, "finished"), (75, "interrupted"), (1, "failed")])
def test_a_run_that_is_over_cannot_be_stopped(
    tmp_path: Path, command: Command, code: int, word: str
) -> None:
    """The refusal says how it ended."""
    folder = sample_run(tmp_path / "runs" / "a-lora-01")
    write_state(folder, sample_state(exit_code=code))

    with pytest.raises(UsageError, match=f"a-lora-01 is not running: {word}"):
        command(stop, "a-lora-01")
