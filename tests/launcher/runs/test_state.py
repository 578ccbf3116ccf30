"""launcher/runs/state.py: reading back, and telling the living from the dead."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.runs.process_identity import start_of, this_process
from launcher.runs.state import liveness, read_state, write_state
from tests.launcher.run_samples import sample_run, sample_state, wait_until


def test_a_state_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """Writing and reading keep every field, and leave no other file behind."""
    folder = sample_run(tmp_path / "a-01")

    write_state(folder, sample_state())

    assert read_state(folder) == sample_state()
    assert sorted(each.name for each in folder.path.iterdir()) == ["plan.yaml", "state.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"phase": "training"}'])
def test_a_file_that_is_no_state_is_unknown(tmp_path: Path, text: str) -> None:
    """A broken state.json is None, not an exception."""
    folder = sample_run(tmp_path / "a-01")
    folder.state.write_text(text)

    assert read_state(folder) is None
    assert liveness(folder) == "lost"


@pytest.mark.parametrize(
    ("code", "expected"),
    [(0, "finished"), (75, "interrupted"), (130, "interrupted"), (1, "failed"), (7, "failed")],
)
def test_the_exit_code_says_how_a_run_ended(tmp_path: Path, code: int, expected: str) -> None:
    """Every exit code has its word."""
    folder = sample_run(tmp_path / "a-01")
    write_state(folder, sample_state(exit_code=code))

    assert liveness(folder) == expected


def test_a_run_whose_supervisor_lives_is_running(tmp_path: Path) -> None:
    """The process that the state names, started when the state says, is alive."""
    folder = sample_run(tmp_path / "a-01")
    me = this_process()
    write_state(
        folder,
        replace(sample_state(), supervisor_pid=me.pid, supervisor_started=me.started),
    )

    assert liveness(folder) == "running"


def test_a_pid_given_to_another_process_is_not_the_supervisor(tmp_path: Path) -> None:
    """The same pid with another start time means the run is lost."""
    folder = sample_run(tmp_path / "a-01")
    write_state(folder, replace(sample_state(), supervisor_pid=this_process().pid))

    assert liveness(folder) == "lost"


def test_a_zombie_is_not_alive() -> None:
    """A process that ended but was not collected yet does not count as running."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    wait_until(lambda: start_of(process.pid) is None)

    process.wait()
