"""launcher/runs/supervisor.py: real processes and signals, with a worker that does not train."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.errors import UsageError
from launcher.runs.events import Event, read_events
from launcher.runs.folder import RunFolder
from launcher.runs.process_identity import start_of
from launcher.runs.starting import start_run
from launcher.runs.state import RunState, liveness, read_state
from tests.launcher.run_samples import (
    ended_state,
    fake_supervision,
    sample_run,
    wait_until,
)
from tests.launcher.runs.conftest import StartRun


def state_of(folder: RunFolder) -> RunState:
    state = read_state(folder)
    assert state is not None
    return state


def events_of(folder: RunFolder, event_type: str) -> list[Event]:
    return [event for event in read_events(folder.events) if event["type"] == event_type]


def worker_pid(folder: RunFolder) -> int:
    wait_until(lambda: state_of(folder).worker_pid is not None)
    pid = state_of(folder).worker_pid
    assert pid is not None
    return pid


def test_a_run_that_ends_well_leaves_every_file_of_a_run_folder(start: StartRun) -> None:
    """State, events, log, measured and provenance are there and agree that it is done."""
    folder = start(steps=5)

    state = ended_state(folder)

    assert (state.exit_code, state.phase, state.step, state.attempt) == (0, "finished", 5, 1)
    assert liveness(folder) == "finished"
    assert "a line of the worker" in folder.log.read_text()
    assert events_of(folder, "plan")[0]["predicted_peak_bytes"] == 2 * 1024**3
    assert events_of(folder, "memory")[0]["host_bytes"] > 0
    measured = json.loads(folder.measured.read_text())
    assert measured["measured"]["evaluation_after"] == 0.5
    assert measured["measured"]["peak_bytes"] == state.peak_bytes
    provenance = json.loads(folder.provenance.read_text())
    assert provenance["seed"] == 42
    assert len(provenance["data"]["sha256"]) == 64
    assert provenance["versions"]["python"] == sys.version.split()[0]


def test_a_run_that_nothing_can_be_learned_from_says_so_and_ends_well(
    start: StartRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of finished runs is no database: it stays as it is, and so does the run's end."""
    store = tmp_path / "data" / "tlplan" / "runs.sqlite3"
    store.parent.mkdir(parents=True)
    store.write_text("no database" * 100)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder = start(steps=2)

    assert ended_state(folder).exit_code == 0
    (warned,) = [event["message"] for event in events_of(folder, "warning")]
    assert str(store) in warned
    assert store.read_text().startswith("no database")


def test_the_supervisor_is_small_and_alone(start: StartRun) -> None:
    """It needs less than 80 MB, imports no torch and leads its own session."""
    folder = start(hold_after=2)
    pid = state_of(folder).supervisor_pid

    status = Path(f"/proc/{pid}/status").read_text()
    peak_kib = int(status.split("VmHWM:")[1].split()[0])

    assert peak_kib < 80_000
    assert "torch" not in Path(f"/proc/{pid}/maps").read_text()
    assert os.getsid(pid) == pid


def test_a_killed_worker_is_followed_by_a_fresh_one(start: StartRun) -> None:
    """Kill -9 of the worker costs nothing but time: the signal is named, and the run finishes."""
    folder = start(hold_after=2)
    (folder.path / "go").touch()

    os.kill(worker_pid(folder), signal.SIGKILL)

    state = ended_state(folder)
    assert (state.exit_code, state.attempt) == (0, 2)
    assert [event["message"] for event in events_of(folder, "recovery")] == [
        "the training process was killed (signal 9, SIGKILL); starting a fresh one",
        "there is no checkpoint: starting at step 0",
    ]


def test_a_worker_that_dies_again_and_again_is_given_up(start: StartRun) -> None:
    """Three fresh ones without a checkpoint in between are enough: exit code 1, with the count."""
    folder = start(dies_after=2)

    state = ended_state(folder)

    assert (state.exit_code, state.attempt) == (1, 4)
    assert state.reason == (
        "the training process was killed (signal 9, SIGKILL), "
        "4 times without a checkpoint in between"
    )
    assert [event["code"] for event in events_of(folder, "failed")] == [1]
    assert folder.measured.exists()


def test_a_worker_that_hangs_is_found_and_restarted(start: StartRun) -> None:
    """Without a sign of life in training it is killed, and a fresh one finishes the run."""
    folder = start(hold_after=2, patience_seconds=0.5)
    hung = worker_pid(folder)

    wait_until(lambda: start_of(hung) is None)

    (folder.path / "go").touch()
    assert ended_state(folder).exit_code == 0
    assert "hung: no sign of life for" in events_of(folder, "recovery")[0]["message"]


def test_no_child_of_the_worker_is_left_behind(start: StartRun) -> None:
    """What the worker started ends with it."""
    folder = start(hold_after=2, child=True)
    child = int((folder.path / "child.pid").read_text())

    os.kill(worker_pid(folder), signal.SIGKILL)

    wait_until(lambda: start_of(child) is None)


def test_a_worker_does_not_outlive_its_supervisor(start: StartRun) -> None:
    """Kill -9 of the supervisor makes the worker save and go; the run is then lost, not running."""
    folder = start(hold_after=2)
    worker = worker_pid(folder)

    os.kill(state_of(folder).supervisor_pid, signal.SIGKILL)

    wait_until(lambda: start_of(worker) is None)
    assert liveness(folder) == "lost"
    assert events_of(folder, "checkpoint")


def test_a_closed_terminal_does_not_matter(start: StartRun) -> None:
    """SIGHUP is ignored by the supervisor and by the worker."""
    folder = start(hold_after=2)

    os.kill(state_of(folder).supervisor_pid, signal.SIGHUP)
    os.kill(worker_pid(folder), signal.SIGHUP)
    (folder.path / "go").touch()

    assert ended_state(folder).exit_code == 0


def test_the_workers_own_words_are_the_runs(start: StartRun) -> None:
    """A failed event of the worker gives the run its code and reason, once."""
    folder = start(fails={"code": 9, "reason": "the loss is NaN at step 3", "hints": ["lower it"]})

    state = ended_state(folder)

    assert (state.exit_code, state.reason) == (9, "the loss is NaN at step 3")
    assert len(events_of(folder, "failed")) == 1


@pytest.mark.parametrize(("code", "expected"), [(0, 1), (1, 1), (5, 5), (200, 1)])
def test_a_worker_that_says_nothing_is_not_believed(
    start: StartRun, code: int, expected: int
) -> None:
    """Without a finished event even code 0 is a failure."""
    folder = start(ends_with=code)

    assert ended_state(folder).exit_code == expected


def test_two_supervisors_cannot_have_one_run(start: StartRun) -> None:
    """A second start of a running run is refused and changes nothing."""
    folder = start(hold_after=2)

    with pytest.raises(UsageError, match="in use by process"):
        start_run(folder, settings=fake_supervision())
    assert state_of(folder).attempt == 1


def test_a_plan_for_a_card_that_is_not_there_ends_with_5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor says what is missing before any worker starts."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    folder = sample_run(tmp_path / "a-lora-01")
    folder.plan.write_text(folder.plan.read_text().replace("device: cpu", "device: cuda"))

    start_run(folder, settings=fake_supervision())

    assert ended_state(folder).exit_code == 5
    assert events_of(folder, "failed")[0]["reason"].startswith("the plan is for a GPU")


def test_a_run_survives_the_death_of_who_launched_it(tmp_path: Path) -> None:
    """Kill -9 of the launching process leaves the run going to its end."""
    folder = sample_run(tmp_path / "a-lora-01")
    script = (
        "import sys, signal\n"
        "from launcher.runs.folder import RunFolder\n"
        "from launcher.runs.starting import start_run\n"
        "from tests.launcher.run_samples import fake_supervision\n"
        "from pathlib import Path\n"
        "start_run(RunFolder(Path(sys.argv[1])), settings=fake_supervision())\n"
        "signal.pause()\n"
    )
    environment = dict(os.environ) | {"FAKE_WORKER": '{"hold_after": 2}', "PYTHONPATH": "."}
    launching = subprocess.Popen(
        [sys.executable, "-c", script, str(folder.path)], env=environment, start_new_session=True
    )
    wait_until((folder.path / "holding").exists)

    os.killpg(launching.pid, signal.SIGKILL)
    launching.wait()

    assert liveness(folder) == "running"
    (folder.path / "go").touch()
    assert ended_state(folder).exit_code == 0


def test_a_worker_that_breaks_behind_its_last_word_has_finished(start: StartRun) -> None:
    """A library may crash at the end of the process; the result is there by then."""
    folder = start(breaks_at_exit=True)

    state = ended_state(folder)

    assert (state.exit_code, state.attempt) == (0, 1)


def test_a_worker_that_aborts_for_memory_has_run_out_of_it(start: StartRun) -> None:
    """C++ and Rust end the process where Python would raise: exit code 7, not another try."""
    folder = start(aborts_with="terminate called after throwing an instance of 'std::bad_alloc'")

    state = ended_state(folder)

    assert (state.exit_code, state.attempt) == (7, 1)
    assert state.reason is not None
    assert state.reason.startswith("the training process got no more host memory and aborted")
