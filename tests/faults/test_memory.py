"""Memory that runs out where only the optimizer can shrink, and the host's own."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from launcher.runs.checkpoints import verify
from launcher.runs.stored_plan import plan_in_force
from planner.optional_sections import RecoverySection
from planner.plan_file import plan_file_text
from tests.faults.kinds import all_kinds
from tests.faults.laboratory import Laboratory
from tests.faults.memory import OUT_OF_MEMORY

pytestmark = [pytest.mark.training, pytest.mark.xdist_group("faults")]


def test_the_moments_go_on_in_8_bit(laboratory: Laboratory) -> None:
    """Out of memory behind a checkpoint: losses are those of the run that was not disturbed."""
    settings = {"micro_batch_rows": 1, "accumulation_steps": 2, "checkpointing": "full"}
    undisturbed = laboratory.run("full", **settings)
    undisturbed.start()
    assert undisturbed.ended().exit_code == 0, undisturbed.story()
    run = laboratory.run("full", **settings)
    run.start({"kind": "raise", "step": 5, "text": OUT_OF_MEMORY["PyTorch"]})

    assert run.ended().exit_code == 0, run.story()

    assert "optimizer adamw -> adamw-8bit" in run.events("recovery")[0]["message"], run.story()
    assert plan_in_force(run.folder).training.optimizer == "adamw-8bit", run.story()
    run.check_whole()
    wanted, found = undisturbed.losses(), run.losses()
    assert found.keys() == wanted.keys(), run.story()
    assert np.allclose(list(found.values()), list(wanted.values()), rtol=0.01), run.story()


def test_a_checkpoint_is_saved_before_the_kernel_ends_somebody(laboratory: Laboratory) -> None:
    """Little host memory is left: said once, saved at once, and the run goes on."""
    all_kinds()["host memory is nearly used up"].inject(laboratory, random.Random(26))


def test_a_full_fine_tune_starts_over_as_qlora(laboratory: Laboratory) -> None:
    """The plan allows it and nothing else is left: told, same rows, the work so far kept."""
    settings = {"micro_batch_rows": 1, "accumulation_steps": 4, "checkpointing": "full"}
    run = laboratory.run("full", optimizer="adamw-8bit", **settings)
    allowed = replace(run.plan, recovery=RecoverySection(allow_qlora=True))
    run.folder.plan.write_text(plan_file_text(allowed, {}))
    run.start({"kind": "raise", "step": 5, "text": OUT_OF_MEMORY["Triton"]})

    assert run.ended().exit_code == 0, run.story()

    told = [each["message"] for each in run.events("recovery")]
    assert "method full -> qlora, learning_rate 0.001 -> 0.0003" in told[0], run.story()
    assert told[1].endswith("they are kept: full-step-3"), run.story()
    assert told[2] == "there is no checkpoint: starting at step 0", run.story()
    plan = plan_in_force(run.folder)
    assert plan.training.micro_batch_rows * plan.training.accumulation_steps == 4
    assert run.folder.result == run.folder.adapter, run.story()
    run.check_whole()
    assert verify(run.folder.checkpoints / "full-step-3") == []
    assert [each["step"] for each in run.events("step")] == [1, 2, 3, 4, *range(1, 10)]


@pytest.mark.parametrize("name", ["classifier", "classifier-full"])
def test_a_classifier_learns_the_same_by_smaller_steps(
    laboratory: Laboratory, name: str, tmp_path: Path
) -> None:
    """Rows of a step at once or one by one, a last step of fewer included: the same numbers."""
    without_dropout = tmp_path / "encoder"
    shutil.copytree(laboratory.encoder, without_dropout)
    config = without_dropout / "config.json"
    config.write_text(config.read_text().replace('dropout_prob": 0.1', 'dropout_prob": 0.0'))
    steps = []
    for rows in (4, 1):
        run = laboratory.run(
            name, micro_batch_rows=rows, accumulation_steps=12 // rows, group_by_length=False
        )
        method = replace(run.plan.method, dropout=run.plan.method.dropout and 0.0)
        model = replace(run.plan.model, folder=str(without_dropout))
        plan = replace(run.plan, method=method, model=model)
        run.folder.plan.write_text(plan_file_text(plan, {}))
        run.start()
        assert run.ended().exit_code == 0, run.story()
        steps.append([[each["loss"], each["grad_norm"]] for each in run.events("step")])

    assert np.allclose(steps[0], steps[1], rtol=1e-4), steps
