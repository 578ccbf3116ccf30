"""launcher/runs/supervisor.py at a resume: from where, and what must still be as it was."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.cli.launch import LaunchOptions
from launcher.cli.resume import resume_run
from launcher.errors import DataError, MissingHere, UsageError
from launcher.runs.data_hash import data_sha256
from launcher.runs.folder import create
from launcher.runs.provenance import record_provenance
from launcher.runs.starting import start_run
from launcher.runs.state import liveness
from launcher.runs.stored_plan import stored_plan
from tests.launcher.run_samples import (
    ended_state,
    fake_supervision,
    plan_text,
    sample_plan,
    wait_until,
)
from tests.launcher.runs.conftest import StartRun
from tests.launcher.runs.test_supervisor import events_of, state_of


def test_a_resume_without_any_checkpoint_starts_again_and_says_so(start: StartRun) -> None:
    """A run that was stopped before its first checkpoint goes through from the beginning."""
    folder = start(hold_after=2)
    os.kill(state_of(folder).supervisor_pid, signal.SIGTERM)
    ended_state(folder)
    (folder.path / "go").touch()

    start_run(folder, resume=True, settings=fake_supervision())

    wait_until(lambda: liveness(folder) == "finished")
    assert state_of(folder).attempt == 2
    assert events_of(folder, "recovery")[0]["message"] == (
        "there is no checkpoint: starting at step 0"
    )


def test_changed_data_is_refused_at_a_resume(start: StartRun, tmp_path: Path) -> None:
    """Half a run on one file and half on another is no result: exit code 4, nothing is trained."""
    folder = start(hold_after=2)
    os.kill(state_of(folder).supervisor_pid, signal.SIGTERM)
    ended_state(folder)
    provenance = folder.provenance.read_text()
    (tmp_path / "runs" / "train.jsonl").write_text('{"text": "other"}\n')
    (folder.path / "go").touch()

    start_run(folder, resume=True, settings=fake_supervision())

    wait_until(lambda: state_of(folder).exit_code == 4)
    assert "train.jsonl is not what this run began with" in str(state_of(folder).reason)
    assert folder.provenance.read_text() == provenance


def test_a_changed_plan_is_refused_at_a_resume(start: StartRun) -> None:
    """A run folder belongs to its plan: exit code 2."""
    folder = start(hold_after=2)
    os.kill(state_of(folder).supervisor_pid, signal.SIGTERM)
    ended_state(folder)
    folder.plan.write_text(folder.plan.read_text().replace("seed: 42", "seed: 43"))

    start_run(folder, resume=True, settings=fake_supervision())

    wait_until(lambda: state_of(folder).exit_code == 2)
    assert "was changed after this run began" in str(state_of(folder).reason)


def test_changed_held_out_rows_are_named(tmp_path: Path) -> None:
    """The rows to measure on, and folders of files, are what they were as well."""
    rows = tmp_path / "rows"
    rows.mkdir()
    (rows / "a.jsonl").write_text('{"text": "one"}\n')
    before = data_sha256(str(rows))
    (rows / "b.jsonl").write_text('{"text": "two"}\n')

    assert before is not None
    assert data_sha256(str(rows)) not in (None, before)
    assert data_sha256(str(tmp_path / "nowhere")) is None
    plan = sample_plan(tmp_path / "runs" / "b")
    folder = create(tmp_path / "runs" / "b", plan_text(plan))
    held_out = replace(plan, data=replace(plan.data, held_out=str(rows)))
    record_provenance(folder, held_out)
    (rows / "b.jsonl").unlink()

    with pytest.raises(DataError, match="rows is not what this run began with"):
        record_provenance(folder, held_out)


def test_a_stop_while_checkpoints_are_checked_needs_no_worker(start: StartRun) -> None:
    """Hashing gigabytes takes minutes: exit code 75 without waiting for its end."""
    folder = start(hold_after=2)
    os.kill(state_of(folder).supervisor_pid, signal.SIGTERM)
    ended_state(folder)
    (folder.path / "go").touch()
    checkpoint = folder.checkpoints / "step-2"
    checkpoint.mkdir(parents=True)
    os.mkfifo(checkpoint / "endless")
    manifest = {"files": {"endless": {"bytes": 0, "sha256": "?"}}}
    (checkpoint / "MANIFEST.json").write_text(json.dumps(manifest))

    pid = start_run(folder, resume=True, settings=fake_supervision())
    writer: list[int] = []

    def is_read() -> bool:
        with suppress(OSError):  # nobody has opened it yet
            writer.append(os.open(checkpoint / "endless", os.O_WRONLY | os.O_NONBLOCK))
        return bool(writer)

    wait_until(is_read)
    os.kill(pid, signal.SIGTERM)

    state = ended_state(folder)
    os.close(writer[0])
    assert (state.exit_code, state.attempt) == (75, 2)


def test_a_base_model_that_changed_or_went_is_refused(tmp_path: Path) -> None:
    """Adapters trained so far would go on with weights that they do not belong to."""
    model = tmp_path / "model"
    model.mkdir()
    weights = model / "model.safetensors"
    weights.write_bytes(bytes(40 << 20))
    plan = sample_plan(tmp_path / "runs" / "b")
    plan = replace(plan, model=replace(plan.model, folder=str(model)))
    folder = create(tmp_path / "runs" / "b", plan_text(plan))
    record_provenance(folder, plan)

    (model / "README.md").write_text("Words are no weights.")
    assert record_provenance(folder, plan) is None

    weights.write_bytes(bytes([1]) * (40 << 20))
    with pytest.raises(UsageError, match="model is not what this run began with"):
        record_provenance(folder, plan)
    model.rename(tmp_path / "moved")
    with pytest.raises(MissingHere, match="model is not there any more"):
        record_provenance(folder, plan)


def test_a_detached_resume_of_changed_data_starts_nothing(start: StartRun) -> None:
    """Who detaches sees nothing of what happens behind it, so it is refused before."""
    folder = start(hold_after=2)
    os.kill(state_of(folder).supervisor_pid, signal.SIGTERM)
    ended_state(folder)
    data = Path(stored_plan(folder).data.train)
    data.write_text('{"prompt": "Why?", "completion": "queue=sales"}\n')

    with pytest.raises(DataError, match="is not what this run began with"):
        resume_run(folder, LaunchOptions(detach=True, supervision=fake_supervision()))

    assert state_of(folder).attempt == 1
