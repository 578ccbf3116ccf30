"""The next smaller step after running out of memory, and the rate after a divergence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from launcher.models import resolve_model
from planner.recovery import Replanned, lower_rate, smaller_step
from planner.run_plan import RunPlan
from tests.launcher.run_samples import sample_plan

SHAPE = resolve_model("smollm2-135m").shape


def plan_with(folder: Path, **training: object) -> RunPlan:
    plan = sample_plan(folder / "run")
    hardware = replace(plan.hardware, available_bytes=None)
    changed = replace(plan.training, **training)  # type: ignore[arg-type]
    return replace(plan, training=changed, hardware=hardware)


def all_steps(plan: RunPlan) -> list[Replanned]:
    steps = []
    while (step := smaller_step(plan, SHAPE)) is not None:
        steps.append(step)
        plan = step.run_plan
    return steps


@pytest.mark.parametrize(("rows", "batches"), [(4, 1), (6, 2), (8, 3), (1, 5), (7, 1)])
def test_the_rows_of_an_optimizer_step_stay_the_same(
    rows: int, batches: int, tmp_path: Path
) -> None:
    """On every step down, rows at once times batches is the product it began with."""
    plan = plan_with(tmp_path, micro_batch_rows=rows, accumulation_steps=batches, loss="torch")

    for step in all_steps(plan):
        training = step.run_plan.training
        assert training.micro_batch_rows * training.accumulation_steps == rows * batches


def test_steps_come_in_their_order_and_each_needs_less(tmp_path: Path) -> None:
    """Rows, checkpointing, loss, optimizer, 4 bit: each planned again, each lower than before."""
    plan = plan_with(tmp_path, micro_batch_rows=4, accumulation_steps=2, loss="torch")
    plan = replace(
        plan,
        recovery=replace(plan.recovery, allow_qlora=True),
        hardware=replace(plan.hardware, device="cuda"),
    )

    steps = all_steps(plan)

    assert [step.change for step in steps] == [
        "micro_batch_rows 4 -> 2, accumulation_steps 2 -> 4",
        "micro_batch_rows 2 -> 1, accumulation_steps 4 -> 8",
        "checkpointing none -> full",
        "loss torch -> chunked",
        "optimizer adamw -> paged-adamw-8bit",
        "method lora -> qlora",
    ]
    peaks = [step.run_plan.hardware.predicted_peak_bytes for step in steps]
    assert peaks == sorted(peaks, reverse=True)
    assert len(set(peaks)) == len(peaks)


def test_four_bit_weights_need_the_plans_leave(tmp_path: Path) -> None:
    """Without it the method stays what it was."""
    plan = plan_with(tmp_path, micro_batch_rows=1)

    assert {step.run_plan.method.name for step in all_steps(plan)} == {"lora"}


def full(plan: RunPlan) -> RunPlan:
    keys = ("adapter", "rank", "alpha", "dropout", "targets", "adapter_dtype")
    return replace(plan, method=replace(plan.method, name="full", **dict.fromkeys(keys)))


def test_a_full_fine_tune_ends_over_4_bit_weights(tmp_path: Path) -> None:
    """Last of all and with leave only: usual adapters at their own rate, the same rows a step."""
    plan = full(plan_with(tmp_path, micro_batch_rows=2, learning_rate=2e-5))
    plan = replace(plan, training=replace(plan.training, trainable_layers=2))
    allowed = replace(plan, recovery=replace(plan.recovery, allow_qlora=True))

    assert {step.run_plan.method.name for step in all_steps(plan)} == {"full"}
    last = all_steps(allowed)[-1]

    assert "method full -> qlora, learning_rate 2e-05 -> " in last.change
    after = last.run_plan
    assert (after.method.name, after.method.weights, after.method.rank) == ("qlora", "nf4-dq", 16)
    assert after.training.trainable_layers is None
    assert after.training.learning_rate >= 1e-4
    assert after.training.micro_batch_rows * after.training.accumulation_steps == 2


def test_a_step_that_cannot_fit_is_passed_over(tmp_path: Path) -> None:
    """With little memory free, the first step is the first that is predicted to fit."""
    plan = plan_with(tmp_path, micro_batch_rows=8, sequence_tokens=1024, loss="torch")
    last = all_steps(plan)[-1].run_plan.hardware.predicted_peak_bytes
    plan = replace(plan, hardware=replace(plan.hardware, available_bytes=last))

    step = smaller_step(plan, SHAPE)

    assert step is not None
    assert step.run_plan.hardware.predicted_peak_bytes <= last


def test_while_loading_only_smaller_weights_help(tmp_path: Path) -> None:
    """Fewer rows would run out at the same place again."""
    plan = plan_with(tmp_path)
    allowed = replace(plan, recovery=replace(plan.recovery, allow_qlora=True))

    assert smaller_step(plan, SHAPE, while_loading=True) is None
    step = smaller_step(allowed, SHAPE, while_loading=True)
    assert step is not None
    assert step.change == "method lora -> qlora"
    from_full = smaller_step(full(allowed), SHAPE, while_loading=True)
    assert from_full is not None
    assert from_full.change.startswith("method full -> qlora")


def test_a_classifier_keeps_its_loss_on_every_step_down(tmp_path: Path) -> None:
    """It has few logits; the optimizer is what can still be made smaller."""
    plan = plan_with(
        tmp_path,
        task="text-classification",
        loss="torch",
        micro_batch_rows=1,
        checkpointing="full",
    )
    plan = replace(plan, hardware=replace(plan.hardware, device="cuda"))

    assert [step.change for step in all_steps(plan)] == ["optimizer adamw -> paged-adamw-8bit"]


def test_the_rate_of_a_head_is_lowered_with_the_others(tmp_path: Path) -> None:
    """A new head's own rate may be what made it diverge."""
    lowered = lower_rate(plan_with(tmp_path, learning_rate=3e-4, head_learning_rate=3e-3))

    assert lowered is not None
    assert lowered.change == ("learning_rate 0.0003 -> 0.0001, head_learning_rate 0.003 -> 0.001")


def test_the_rate_is_lowered_once(tmp_path: Path) -> None:
    """A third of it, and the plan then allows no second time."""
    plan = plan_with(tmp_path, learning_rate=3e-4)

    lowered = lower_rate(plan)

    assert lowered is not None
    assert lowered.change == "learning_rate 0.0003 -> 0.0001"
    assert lowered.run_plan.training.learning_rate == 1e-4
    assert lower_rate(lowered.run_plan) is None
