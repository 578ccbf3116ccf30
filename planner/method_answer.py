"""What one method would need: the step, its memory and verdict, and its time when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from hwdb.find import find_card
from planner.advice.growth import largest_micro_batch, largest_sequence_tokens
from planner.advice.rows import over_rows, with_lengths
from planner.budget import Budget
from planner.memory.estimate import MemoryEstimate, Verdict, verdict_of
from planner.memory.once import estimate_once
from planner.request import Method, TrainingRequest
from planner.shape import ModelShape
from planner.speed.correction import TimeCorrection, corrected_time
from planner.speed.step_time import TimeEstimate, estimate_time

Estimate = Callable[[ModelShape, TrainingRequest], MemoryEstimate]
"""What makes an estimate: the formula, a trace, or either corrected by what was measured."""


@dataclass(frozen=True, kw_only=True)
class MethodAnswer:
    """What one method would need here."""

    method: Method
    shape: ModelShape
    request: TrainingRequest
    memory: MemoryEstimate
    verdict: Verdict
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Of settings that were chosen by time or by fit, by their name in the request."""
    prices: Mapping[str, str] = field(default_factory=dict)
    """What another kernel, optimizer or weights would cost, by the name of the setting."""
    card_id: str | None = None
    lengths: tuple[int, ...] = ()
    """Tokens of the rows it is about; empty: all are as long as the request says."""
    time_correction: TimeCorrection | None = None
    """What runs of this machine say about its time."""

    @cached_property
    def time(self) -> TimeEstimate | None:
        """Time of a step; None where the card or its speed is unknown."""
        card = None if self.card_id is None else find_card(self.card_id)
        known = over_rows(self.request, self.lengths)
        time = estimate_time(self.shape, known, card)
        return None if time is None else corrected_time(time, self.time_correction)

    @cached_property
    def largest_sequence_tokens(self) -> int | None:
        """Longest row that fits at this batch; None without a memory to judge against."""
        return largest_sequence_tokens(self.shape, self.request, self.verdict.capacity_bytes)

    @cached_property
    def largest_micro_batch(self) -> int | None:
        """Most rows that fit at this sequence length; None without a memory to judge against."""
        return largest_micro_batch(self.shape, self.request, self.verdict.capacity_bytes)


def answer_of(
    shape: ModelShape,
    request: TrainingRequest,
    budget: Budget | None,
    estimate: Estimate,
    lengths: tuple[int, ...],
) -> MethodAnswer:
    """What `estimate` says of a step over rows of these lengths, judged against the budget."""
    memory = estimate(shape, with_lengths(request, lengths))
    capacity = None if budget is None else budget.free_bytes
    return MethodAnswer(
        method=request.method,
        shape=shape,
        request=request,
        memory=memory,
        verdict=verdict_of(memory.needed, capacity),
        card_id=None if budget is None else budget.card_id,
        lengths=lengths,
    )


def at_length(answer: MethodAnswer, sequence_tokens: int) -> MethodAnswer:
    """The same step with rows of another length, all else as it is."""
    request = replace(answer.request, sequence_tokens=sequence_tokens)
    memory = estimate_once(answer.shape, request)
    verdict = verdict_of(memory.needed, answer.verdict.capacity_bytes)
    return replace(answer, request=request, memory=memory, verdict=verdict)
