"""Every key of a plan reaches the trainer, or is refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launcher.errors import UsageError
from tests.launcher.training.plans import LORA, make_plan

SOMEWHERE = Path("/somewhere")


def arguments_of(**training: Any) -> dict[str, Any]:
    """The trainer's arguments of a plan."""
    from launcher.training.arguments import sft_config

    plan = make_plan(model=SOMEWHERE, data=SOMEWHERE, run=SOMEWHERE, **training)
    config: Any = sft_config(plan, SOMEWHERE)
    return dict(config.to_dict())


@pytest.mark.parametrize(
    ("key", "value", "argument", "expected"),
    [
        ("micro_batch_rows", 3, "per_device_train_batch_size", 3),
        ("accumulation_steps", 5, "gradient_accumulation_steps", 5),
        ("epochs", 1.5, "num_train_epochs", 1.5),
        ("max_steps", 9, "max_steps", 9),
        ("max_steps", None, "max_steps", -1),
        ("learning_rate", 1e-5, "learning_rate", 1e-5),
        ("schedule", "linear", "lr_scheduler_type", "linear"),
        ("schedule", "constant", "lr_scheduler_type", "constant_with_warmup"),
        ("warmup_fraction", 0.25, "warmup_steps", 0.25),
        ("optimizer", "adamw-fused", "optim", "adamw_torch_fused"),
        ("optimizer", "adamw-8bit", "optim", "adamw_8bit"),
        ("optimizer", "paged-adamw", "optim", "paged_adamw_32bit"),
        ("optimizer", "paged-adamw-8bit", "optim", "paged_adamw_8bit"),
        ("optimizer", "adafactor", "optim", "adafactor"),
        ("optimizer", "sgd", "optim", "sgd"),
        ("checkpointing", "full", "gradient_checkpointing", True),
        ("packing", True, "packing", True),
        ("sequence_tokens", 77, "max_length", 77),
        ("checkpoint_every_steps", 13, "save_steps", 13),
        ("seed", 99, "seed", 99),
        ("seed", 99, "data_seed", 99),
    ],
)
def test_a_key_changes_its_argument(key: str, value: Any, argument: str, expected: Any) -> None:
    """What the plan says is what the trainer is given."""
    assert arguments_of(**{key: value})[argument] == expected


def test_autocast_is_off_unless_planned() -> None:
    """TRL turns bf16 on by itself; a plan without autocast must not get it."""
    from launcher.training.arguments import sft_config

    plain = make_plan(model=SOMEWHERE, data=SOMEWHERE, run=SOMEWHERE)
    mixed = make_plan(
        model=SOMEWHERE, data=SOMEWHERE, run=SOMEWHERE, method=replace(LORA, autocast="bf16")
    )

    assert (sft_config(plain, SOMEWHERE).bf16, sft_config(plain, SOMEWHERE).fp16) == (False, False)
    assert sft_config(mixed, SOMEWHERE).bf16 is True


def test_nan_is_never_hidden_and_nothing_is_reported_elsewhere() -> None:
    """The trainer's defaults that hide a NaN or reach for the network are off."""
    arguments = arguments_of()

    assert arguments["logging_nan_inf_filter"] is False
    assert arguments["report_to"] == []
    assert arguments["push_to_hub"] is False


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("loss", "liger"),
        ("loss", "triton"),
        ("checkpointing", "offloaded"),
        ("optimizer", "adamw-in-backward"),
    ],
)
def test_what_cannot_be_trained_yet_is_refused_by_name(key: str, value: str) -> None:
    """The error names the key and the hint what to write instead."""
    from launcher.training.arguments import refuse_what_is_not_there

    changed: dict[str, Any] = {key: value}
    plan = make_plan(model=SOMEWHERE, data=SOMEWHERE, run=SOMEWHERE, **changed)

    with pytest.raises(UsageError, match=rf"training\.{key}: {value}") as failure:
        refuse_what_is_not_there(plan)

    assert failure.value.hints[0].startswith(f"use {key}: ")


def test_packing_without_isolation_is_refused() -> None:
    """Packed rows must never see each other."""
    from launcher.training.arguments import refuse_what_is_not_there

    plan = make_plan(
        model=SOMEWHERE, data=SOMEWHERE, run=SOMEWHERE, packing=True, attention="eager"
    )

    with pytest.raises(UsageError, match="packed rows could see each other"):
        refuse_what_is_not_there(plan)
