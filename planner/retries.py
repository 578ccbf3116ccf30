"""What to change where a run ran out of memory or diverged, corrected by what it showed.

Unlike the steps of `planner.recovery` these cost something a person has to decide about:
rows are cut, weights are quantized, less is trained.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from planner.adapters import with_adapters
from planner.advice.growth import largest_micro_batch, largest_sequence_tokens
from planner.memory.estimate import estimate_memory
from planner.recovery import Replanned, replanned, smaller_step
from planner.request import RequestError
from planner.run_plan import RunPlan
from planner.shape import ModelShape

_LEAST_TOKENS = 64
_DIVERGED_RATE = 0.1


class Retry(NamedTuple):
    """A change that is enough by itself."""

    change: str
    run_plan: RunPlan
    """With the memory it is predicted to need."""
    needed_bytes: int | None
    """Corrected; None where memory was not the trouble."""
    spare_bytes: int | None
    cost: str


def retries_in_memory(
    run_plan: RunPlan, shape: ModelShape, *, capacity_bytes: int, correction: float
) -> tuple[Retry, ...]:
    """Changes with which the run fits into `capacity_bytes`, the cheapest first.

    `correction` is what the run measured over what was predicted for it, 1.0 or more.
    """
    found = []
    for change, changed, cost in _changes(run_plan, shape, int(capacity_bytes / correction)):
        try:
            planned = replanned(changed, shape)
            needed = estimate_memory(shape, planned.request()).needed
        except RequestError:
            continue  # this model cannot have it
        needed_bytes = int(needed.expected_bytes * correction)
        if needed_bytes > capacity_bytes:
            continue
        tight = "" if needed.high_bytes * correction <= capacity_bytes else ", and tight"
        found.append(
            Retry(change, planned, needed_bytes, capacity_bytes - needed_bytes, cost + tight)
        )
    return tuple(found)


def retry_with_lower_rate(run_plan: RunPlan) -> Retry:
    """The run again with a tenth of its learning rate, where it left the path."""
    before = run_plan.training.learning_rate
    rate = float(f"{before * _DIVERGED_RATE:.3g}")
    changed = replace(run_plan, training=replace(run_plan.training, learning_rate=rate))
    return Retry(f"learning rate {rate:g}", changed, None, None, f"slower learning than {before:g}")


def room_to_grow(
    run_plan: RunPlan, shape: ModelShape, *, capacity_bytes: int, correction: float
) -> int | None:
    """Most rows at once that would have fitted, None when no more than there were."""
    rows = largest_micro_batch(shape, run_plan.request(), int(capacity_bytes / correction))
    return rows if rows and rows > run_plan.training.micro_batch_rows else None


def _changes(
    run_plan: RunPlan, shape: ModelShape, capacity_bytes: int
) -> Iterator[tuple[str, RunPlan, str]]:
    smaller = smaller_step(run_plan, shape)
    if smaller is not None:
        yield _in_short(run_plan, smaller), smaller.run_plan, "slower steps"
    tokens = largest_sequence_tokens(shape, run_plan.request(), capacity_bytes) or 0
    training = run_plan.training
    if _LEAST_TOKENS <= tokens < training.sequence_tokens:
        shorter = replace(run_plan, training=replace(training, sequence_tokens=tokens))
        yield f"longest {tokens} tokens", shorter, "longer rows are cut"
    if run_plan.method.name == "full":
        yield "lora", with_adapters(run_plan, shape), "adapters only"
    if run_plan.method.name != "qlora":
        quantized = with_adapters(run_plan, shape, method="qlora", weights="nf4-dq")
        yield "qlora", quantized, "4-bit weights, slower steps"


def _in_short(before: RunPlan, smaller: Replanned) -> str:
    """What a smaller step changes, in a few words where it is only the batch."""
    after = smaller.run_plan.training
    rows, batches = after.micro_batch_rows, after.accumulation_steps
    only_batch = replace(before.training, micro_batch_rows=rows, accumulation_steps=batches)
    if only_batch == after and smaller.run_plan.method == before.method:
        return f"batch {rows} x {batches}"
    return smaller.change
