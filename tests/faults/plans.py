"""The runs that are disturbed: one plan for each way of training that resumes in its own way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from planner.run_plan import RunPlan
from tests.launcher.training.plans import FULL, LORA, QLORA, make_plan

STEPS = 9
CHECKPOINT_EVERY = 3

VARIANTS: dict[str, dict[str, Any]] = {
    "lora": {"method": replace(LORA, dropout=0.1)},
    "lora-packed": {"method": replace(LORA, dropout=0.1), "packing": True, "sequence_tokens": 96},
    "lora-accumulated": {
        "method": replace(LORA, dropout=0.1),
        "micro_batch_rows": 2,
        "accumulation_steps": 3,
    },
    "full": {"method": FULL, "learning_rate": 1e-3},
    "full-packed": {
        "method": FULL,
        "learning_rate": 1e-3,
        "packing": True,
        "sequence_tokens": 96,
        "keep_best": True,
    },
    "qlora": {"method": QLORA},
    "qlora-packed": {"method": QLORA, "packing": True, "sequence_tokens": 96},
    "lora-grouped": {
        "method": replace(LORA, dropout=0.1),
        "micro_batch_rows": 4,
        "group_by_length": True,
    },
    "classifier": {
        "method": replace(LORA, dropout=0.1),
        "task": "text-classification",
        "loss": "torch",
        "head_learning_rate": 1e-2,
    },
    "classifier-full": {
        "method": FULL,
        "task": "text-classification",
        "loss": "torch",
        "learning_rate": 1e-3,
        "group_by_length": True,
    },
}
CLASSIFIERS = ("classifier", "classifier-full")


def variant(name: str, *, model: Path, data: Path, run: Path, **training: Any) -> RunPlan:
    """A plan of STEPS steps with a checkpoint every CHECKPOINT_EVERY of them."""
    settings: dict[str, Any] = {
        "max_steps": STEPS,
        "checkpoint_every_steps": CHECKPOINT_EVERY,
        "evaluate_every_steps": CHECKPOINT_EVERY,
        "sequence_tokens": 64,
    }
    return make_plan(model=model, data=data, run=run, **{**settings, **VARIANTS[name], **training})
