"""launcher/runs/versions.py and provenance.py: a run goes on with what it began with."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.cli import resume
from launcher.cli.launch import LaunchOptions
from launcher.errors import MissingHere
from launcher.runs.folder import RunFolder
from launcher.runs.provenance import record_commit, record_provenance
from launcher.runs.state import read_state
from launcher.runs.stored_plan import plan_in_force, stored_plan
from launcher.runs.versions import changes_text
from planner.plan_file import plan_file_text
from planner.run_plan import ModelSection
from tests.launcher.run_samples import (
    ended_state,
    fake_supervision,
    sample_plan,
    sample_run,
)

THEN = {"python": "3.11.2", "torch": "2.12.0", "peft": "0.21.2", "bitsandbytes": "0.50.2"}


def begun_with(folder: RunFolder, **versions: str | None) -> None:
    """Let a run have begun with other versions than those that are here."""
    known = json.loads(folder.provenance.read_text())
    known["versions"] |= versions
    folder.provenance.write_text(json.dumps(known))


@pytest.fixture
def interrupted(start: Callable[..., RunFolder]) -> RunFolder:
    """A run that was stopped at its second step."""
    folder = start(hold_after=2)
    state = read_state(folder)
    assert state is not None
    os.kill(state.supervisor_pid, signal.SIGTERM)
    ended_state(folder)
    (folder.path / "go").touch()
    return folder


def test_what_changed_is_named(tmp_path: Path) -> None:
    """Package by package; bitsandbytes only where the plan computes with it."""
    plan = sample_plan(tmp_path / "run")
    now = THEN | {"python": "3.11.4", "torch": "2.13.0", "bitsandbytes": "0.51.0"}
    paged = replace(plan, training=replace(plan.training, optimizer="paged-adamw-8bit"))

    assert changes_text(THEN, now, plan) == "torch 2.12.0 -> 2.13.0"
    assert changes_text(THEN, now, paged) == (
        "torch 2.12.0 -> 2.13.0, bitsandbytes 0.50.2 -> 0.51.0"
    )
    assert changes_text(THEN, dict(THEN), plan) is None
    assert changes_text({}, now, plan) is None


def test_a_resume_over_other_versions_is_refused(interrupted: RunFolder) -> None:
    """Exit code 5, the line for pip, and the way to go on all the same; nothing is started."""
    begun_with(interrupted, torch="1.13.1")

    with pytest.raises(MissingHere, match=r"torch 1\.13\.1 -> ") as caught:
        resume.resume_run(interrupted, LaunchOptions(supervision=fake_supervision()))

    assert caught.value.hints[0].startswith("pip install 'torch==1.13.1' brings back")
    assert caught.value.hints[1].endswith(f"tlplan resume {interrupted.typed} --force")
    state = read_state(interrupted)
    assert state is not None
    assert state.attempt == 1


def test_forced_it_goes_on_and_keeps_what_with(
    interrupted: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told once, and provenance.json names the versions of each part of the run."""
    begun_with(interrupted, torch="1.13.1")

    options = LaunchOptions(supervision=fake_supervision())
    code = resume.resume_run(interrupted, options, force=True)

    assert code == 0
    assert "going on with other versions than before: torch 1.13.1 -> " in capsys.readouterr().out
    known = json.loads(interrupted.provenance.read_text())
    assert known["versions"]["torch"] == "1.13.1"
    assert [each["versions"]["torch"] != "1.13.1" for each in known["went_on_with"]] == [True]
    assert record_provenance(interrupted, stored_plan(interrupted)) is None


def test_a_run_stays_with_the_commit_it_began_with(tmp_path: Path) -> None:
    """A branch of the Hub may move on; the first commit that was fetched is the run's."""
    folder = sample_run(tmp_path / "runs" / "a-lora-01")
    plan = stored_plan(folder)
    model = ModelSection(name="org/a", hub_id="org/a", revision=None, folder=None)
    plan = replace(plan, model=model)
    folder.plan.write_text(plan_file_text(plan, {}))
    record_provenance(folder, plan)
    assert plan_in_force(folder).model.revision is None

    record_commit(folder, "a" * 40)
    record_commit(folder, "b" * 40)

    assert plan_in_force(folder).model.revision == "a" * 40
    assert record_provenance(folder, plan) is None
