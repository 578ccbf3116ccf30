"""Memory that runs out where only the optimizer can shrink, and the host's own."""

from __future__ import annotations

import random

import numpy as np
import pytest

from launcher.runs.stored_plan import plan_in_force
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
