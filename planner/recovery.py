"""What a run may become when it cannot go on as planned: a smaller step, or a lower rate.

A smaller step trains the same thing: the rows of an optimizer step stay exactly the same, only
how they are computed changes, and each step down is planned again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

from planner.adapters import with_adapters
from planner.memory.estimate import MemoryEstimate, estimate_memory
from planner.request import RequestError
from planner.run_plan import HardwareSection, RunPlan, TrainingSection
from planner.shape import ModelShape

LOWER_RATE = 1 / 3
"""Share of the learning rate that is left after a divergence."""

_SIMILAR_SHARE = 0.995
"""A step that is predicted to allocate more than this share of the one before is not smaller."""

_Step = tuple[RunPlan, tuple[str, ...]]
"""A changed plan, not yet planned again, and its changes in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replanned:
    """A changed plan and what was changed, in words."""

    run_plan: RunPlan
    change: str


def smaller_step(
    run_plan: RunPlan, shape: ModelShape, *, while_loading: bool = False
) -> Replanned | None:
    """The next smaller step after a run of this plan ran out of memory, None when none is left.

    Tried in this order: fewer rows at once over the divisors of the effective batch, activation
    checkpointing, a loss that never holds all logits, an optimizer in 8 bit (paged on a card),
    4-bit weights if the plan allows them, which starts a full fine-tune over. A step that is
    predicted to allocate as much as the one that failed is passed over, and so is one predicted
    not to fit while a later one does. `while_loading` leaves only what makes the loaded weights
    smaller.
    """
    planned = replanned(run_plan, shape)
    before_bytes = planned.hardware.predicted_allocated_bytes
    smaller = [
        step
        for step in _ladder(run_plan, shape, while_loading=while_loading)
        if step.run_plan.hardware.predicted_allocated_bytes < _SIMILAR_SHARE * before_bytes
    ]
    available_bytes = run_plan.hardware.available_bytes
    for step in smaller:
        if available_bytes is None:
            return step
        if step.run_plan.hardware.predicted_peak_bytes <= available_bytes:
            return step
    return smaller[0] if smaller else None


def lower_rate(run_plan: RunPlan) -> Replanned | None:
    """The plan with a third of its learning rate, which it will lower no second time.

    None when the plan does not allow it.
    """
    if not run_plan.recovery.lower_learning_rate_once:
        return None
    before = run_plan.training
    rate, head = _lowered(before.learning_rate), before.head_learning_rate
    after = replace(
        before, learning_rate=rate, head_learning_rate=None if head is None else _lowered(head)
    )
    return Replanned(
        run_plan=replace(
            run_plan,
            training=after,
            recovery=replace(run_plan.recovery, lower_learning_rate_once=False),
        ),
        change=_difference(before, after),
    )


def _lowered(rate: float) -> float:
    return float(f"{rate * LOWER_RATE:.3g}")


def replanned(run_plan: RunPlan, shape: ModelShape) -> RunPlan:
    """The plan with the memory that its step is predicted to need now."""
    times = ("step_seconds", "run_seconds")
    no_longer = dict.fromkeys(
        [f"{name}{end}" for name in times for end in ("", "_low", "_high")]
        + ["uncorrected_step_seconds", "uncorrected_peak_bytes", "uncorrected_allocated_bytes"]
    )
    return replace(
        run_plan,
        hardware=with_prediction(run_plan.hardware, estimate_memory(shape, run_plan.request())),
        expected=replace(run_plan.expected, **no_longer),
    )


def with_prediction(hardware: HardwareSection, memory: MemoryEstimate) -> HardwareSection:
    """The section with an estimate's numbers."""
    return replace(
        hardware,
        predicted_allocated_bytes=memory.allocated.expected_bytes,
        predicted_peak_bytes=memory.device.expected_bytes,
        predicted_low_bytes=memory.device.low_bytes,
        predicted_high_bytes=memory.device.high_bytes,
    )


def _ladder(run_plan: RunPlan, shape: ModelShape, *, while_loading: bool) -> Iterator[Replanned]:
    """Every step down, each on top of those before it."""
    steps = iter(_quantized(run_plan, shape, ())) if while_loading else _steps(run_plan, shape)
    for changed, changes in steps:
        try:
            yield Replanned(run_plan=replanned(changed, shape), change=", ".join(changes))
        except RequestError:
            continue  # this model cannot have it


def _steps(run_plan: RunPlan, shape: ModelShape) -> Iterator[_Step]:
    changes: tuple[str, ...] = ()
    for changed, change in _fewer_rows(run_plan):
        changes = (change,)
        run_plan = changed
        yield changed, changes
    for smaller in (_checkpointing, _fused_loss, _smaller_optimizer):
        before = run_plan.training
        training = smaller(before, run_plan.hardware)
        if training is None:
            continue
        run_plan = replace(run_plan, training=training)
        changes = (*changes, _difference(before, training))
        yield run_plan, changes
    yield from _quantized(run_plan, shape, changes)


def _fewer_rows(run_plan: RunPlan) -> list[tuple[RunPlan, str]]:
    """Fewer rows at once, each a divisor of the rows of an optimizer step."""
    before = run_plan.training
    effective = before.micro_batch_rows * before.accumulation_steps
    found = []
    for rows in range(before.micro_batch_rows - 1, 0, -1):
        if effective % rows == 0:
            batches = effective // rows
            training = replace(before, micro_batch_rows=rows, accumulation_steps=batches)
            changed = replace(run_plan, training=training)
            found.append((changed, _difference(before, training)))
    return found


def _checkpointing(training: TrainingSection, _: HardwareSection) -> TrainingSection | None:
    return replace(training, checkpointing="full") if training.checkpointing == "none" else None


def _fused_loss(training: TrainingSection, _: HardwareSection) -> TrainingSection | None:
    # A classifier has a handful of logits a row.
    if training.loss != "torch" or training.task != "causal-lm":
        return None
    return replace(training, loss="chunked")


def _smaller_optimizer(
    training: TrainingSection, hardware: HardwareSection
) -> TrainingSection | None:
    """Adam with moments in 8 bit, which the host may hold for a card."""
    smaller = "paged-adamw-8bit" if hardware.device == "cuda" else "adamw-8bit"
    larger = ("adamw", "adamw-fused", "paged-adamw", "adamw-8bit")
    if training.optimizer not in larger or training.optimizer == smaller:
        return None
    return replace(training, optimizer=smaller)


def _quantized(run_plan: RunPlan, shape: ModelShape, changes: tuple[str, ...]) -> list[_Step]:
    """LoRA over 4-bit weights, if the plan allows it.

    Adapters trained so far go on; what a full fine-tune has learned no adapter can take over.
    """
    before = run_plan.method.name
    if not run_plan.recovery.allow_qlora or before == "qlora":
        return []
    changed = with_adapters(run_plan, shape, method="qlora", weights="nf4-dq")
    changes = (*changes, f"method {before} -> qlora")
    if before == "full":
        changes = (*changes, _difference(run_plan.training, changed.training))
    return [(changed, changes)]


def _difference(before: TrainingSection, after: TrainingSection) -> str:
    """What changed, such as "loss torch -> chunked"."""
    changed = [
        f"{field.name} {getattr(before, field.name)} -> {getattr(after, field.name)}"
        for field in fields(before)
        if getattr(before, field.name) != getattr(after, field.name)
    ]
    return ", ".join(changed)
