"""launcher/runs/state.py: reading back, and telling the living from the dead."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from launcher.runs.events import iso_time
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


@pytest.mark.parametrize(("seconds", "expected"), [(2, "running"), (120, "lost")])
def test_a_run_on_another_machine_is_judged_by_its_heartbeat(
    tmp_path: Path, seconds: int, expected: str
) -> None:
    """Its processes cannot be seen from here, and a number may mean another process here."""
    folder = sample_run(tmp_path / "run")
    heard = iso_time(time.time() - seconds)
    there = replace(sample_state(), host="another-node", supervisor_pid=os.getpid())

    write_state(folder, replace(there, heartbeat=heard))

    assert liveness(folder) == expected


def test_after_a_restart_of_the_machine_a_run_is_lost(tmp_path: Path) -> None:
    """Whoever has its number now started in another boot, however young the heartbeat is."""
    folder = sample_run(tmp_path / "run")
    me = this_process()
    before = f"0b8f1c1e-another-boot:{me.started.rpartition(':')[2]}"
    state = replace(sample_state(), supervisor_pid=me.pid, supervisor_started=before)

    write_state(folder, replace(state, heartbeat=iso_time(time.time()), host=me.host))

    assert liveness(folder) == "lost"


def test_a_state_of_an_older_version_is_read(tmp_path: Path) -> None:
    """It does not say on which machine it was written: on this one."""
    folder = sample_run(tmp_path / "run")
    written = asdict(sample_state(exit_code=75))
    del written["host"]
    folder.state.write_text(json.dumps(written))

    assert read_state(folder) == sample_state(exit_code=75)
