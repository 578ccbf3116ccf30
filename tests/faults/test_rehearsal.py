"""A run in small before the run: it shows what the plan will need, and changes nothing else."""

from __future__ import annotations

import pytest

from launcher.runs.state import liveness
from launcher.runs.stored_plan import plan_in_force
from tests.faults.laboratory import Laboratory
from tests.faults.memory import OUT_OF_MEMORY

pytestmark = [pytest.mark.training, pytest.mark.xdist_group("faults")]


@pytest.mark.parametrize("name", ["lora", "full-packed"])
def test_a_rehearsed_run_equals_one_that_was_not(laboratory: Laboratory, name: str) -> None:
    """Memory and time of the plan are what was seen; weights and losses are the same bits."""
    run = laboratory.run(name)

    run.start(rehearse="yes")

    assert run.ended().exit_code == 0, run.story()
    plan = plan_in_force(run.folder)
    seen = run.events("rehearsal")[-1]
    assert seen["message"].startswith("rehearsed: it fits: peak "), run.story()
    assert plan.hardware.predicted_peak_bytes == seen["peak_bytes"] > 100 << 20
    assert plan.expected.step_seconds is not None
    assert plan.expected.checkpoint_bytes == seen["checkpoint_bytes"]
    assert seen["planned_steps"] == 9
    assert run.folder.plan.read_text() != run.folder.amended.read_text()
    run.check_equal()


def test_only_a_rehearsal_leaves_a_run_to_be_resumed(laboratory: Laboratory) -> None:
    """It ends with 0 without a result; tlplan resume then trains."""
    run = laboratory.run("lora")
    run.start(rehearse="only")
    assert run.ended().exit_code == 0, run.story()
    assert liveness(run.folder) == "interrupted"
    assert run.folder.result is None

    run.start(resume=True)

    assert run.ended().exit_code == 0, run.story()
    run.check_equal()


def test_a_rehearsal_that_runs_out_of_memory_finds_the_step_that_fits(
    laboratory: Laboratory,
) -> None:
    """The ladder is gone down before the first step, not after hours."""
    run = laboratory.run("lora")

    run.start(
        {"kind": "raise", "step": 2, "text": OUT_OF_MEMORY["the driver"]},
        rehearse="yes",
    )

    assert run.ended().exit_code == 0, run.story()
    assert "micro_batch_rows 4 -> 2" in run.events("recovery")[0]["message"], run.story()
    assert len(run.losses()) == run.events("step")[-1]["step"] == 9
