"""Every file of a real checkpoint, damaged in every way: the checkpoint is passed over."""

from __future__ import annotations

import random
import shutil

import pytest

from launcher.runs.checkpoints import checkpoints_folder, list_checkpoints, newest_verified
from tests.faults.damage import WAYS
from tests.faults.laboratory import Laboratory

pytestmark = [pytest.mark.training, pytest.mark.xdist_group("faults")]

STATE = {"optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", "tlplan.json"}


@pytest.mark.parametrize(
    ("name", "weights"), [("lora", "adapter_model.safetensors"), ("full", "model.safetensors")]
)
def test_no_file_can_be_lost_or_changed_unseen(
    laboratory: Laboratory, name: str, weights: str
) -> None:
    """Optimizer, schedule, random numbers, progress, weights, tokenizer and the manifest itself."""
    run = laboratory.reference(name).folder.path
    newest, before = list_checkpoints(run)
    files = sorted(path.relative_to(newest) for path in newest.rglob("*") if path.is_file())
    assert {path.name for path in files} >= {*STATE, weights, "MANIFEST.json"}

    for file in files:
        for way, damage in WAYS.items():
            whole = shutil.copytree(newest, checkpoints_folder(run).with_name("whole"))
            damage(newest / file, random.Random(f"{file} {way}"))
            taken, skipped = newest_verified(run)
            shutil.rmtree(newest)
            whole.rename(newest)

            assert taken == before, f"{file} {way}"
            assert file.name in skipped[newest], f"{file} {way}: {skipped}"
