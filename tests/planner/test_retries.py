"""planner/retries.py: what a person may change when a run ran out of memory or diverged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from launcher.models import resolve_model
from planner.recovery import replanned
from planner.retries import retries_in_memory, retry_with_lower_rate, room_to_grow
from planner.run_plan import RunPlan
from planner.units import GIB
from tests.launcher.run_samples import sample_plan

SHAPE = resolve_model("llama-3.1-8b").shape


@pytest.fixture
def plan(tmp_path: Path) -> RunPlan:
    """LoRA of Llama 3.1 8B on a card, 4 rows of 2048 tokens at once."""
    made = sample_plan(tmp_path / "a")
    made = replace(
        made,
        method=replace(made.method, weights="bf16", autocast="bf16"),
        training=replace(
            made.training,
            sequence_tokens=2048,
            micro_batch_rows=4,
            accumulation_steps=2,
            checkpointing="full",
        ),
        hardware=replace(made.hardware, device="cuda"),
    )
    return replanned(made, SHAPE)


def test_every_retry_fits_with_the_correction_that_was_measured(plan: RunPlan) -> None:
    """What is offered needs less than there is, after what the run showed is multiplied in."""
    capacity = plan.hardware.predicted_peak_bytes

    found = retries_in_memory(plan, SHAPE, capacity_bytes=capacity, correction=1.2)

    assert [retry.change for retry in found][-1] == "qlora"
    assert any(retry.change.startswith("longest") for retry in found)
    for retry in found:
        assert retry.needed_bytes is not None
        assert retry.spare_bytes == capacity - retry.needed_bytes >= 0
        predicted = retry.run_plan.hardware.predicted_peak_bytes
        assert retry.needed_bytes >= predicted


def test_nothing_is_offered_where_nothing_fits(plan: RunPlan) -> None:
    """A card of one GiB holds no 8B model."""
    assert retries_in_memory(plan, SHAPE, capacity_bytes=GIB, correction=1.0) == ()


def test_a_full_fine_tune_is_offered_adapters(plan: RunPlan) -> None:
    """With the usual rank and rate, and the rest of the plan as it was."""
    method = replace(
        plan.method,
        name="full",
        **dict.fromkeys(("adapter", "rank", "alpha", "dropout", "targets", "adapter_dtype")),
    )
    full = replanned(replace(plan, method=method), SHAPE)

    found = retries_in_memory(full, SHAPE, capacity_bytes=60 * GIB, correction=1.0)

    lora = next(retry for retry in found if retry.change == "lora")
    assert (lora.run_plan.method.name, lora.run_plan.method.rank) == ("lora", 16)
    assert lora.run_plan.training == replace(full.training, learning_rate=2e-4)


def test_after_a_divergence_a_tenth_of_the_rate_is_offered(plan: RunPlan) -> None:
    """The change and its cost name both rates."""
    retry = retry_with_lower_rate(plan)

    assert retry.run_plan.training.learning_rate == pytest.approx(2e-5)
    assert (retry.change, retry.cost) == ("learning rate 2e-05", "slower learning than 0.0002")


def test_room_to_grow_is_more_rows_or_nothing(plan: RunPlan) -> None:
    """On a card twice as large more rows fit; on one that is full none do."""
    peak = plan.hardware.predicted_high_bytes

    more = room_to_grow(plan, SHAPE, capacity_bytes=2 * peak, correction=1.0)

    assert more is not None
    assert more > 4
    assert room_to_grow(plan, SHAPE, capacity_bytes=peak // 2, correction=1.0) is None
