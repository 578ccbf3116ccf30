"""Seconds for a row of the data, as a function of the batch: a few multiplications each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from planner.advice.rows import are_unequal, packed_accumulation
from planner.request import Batching, TrainingRequest
from planner.search.space import Structure
from planner.shape import ModelShape
from planner.speed.lengths import RowLengths, row_lengths
from planner.speed.sharding import with_communication
from planner.speed.step_time import TimedStep, timed_step
from planner.speed.work import Execution

if TYPE_CHECKING:
    from hwdb.card import Card

Seconds = Callable[[int], tuple[int, float] | None]
"""Rows at once -> micro-batches a step and seconds for a row of the data; None where no such step
keeps about the rows of a step."""


class Timings:
    """Times of structures on one card, for rows of these lengths."""

    def __init__(
        self, shape: ModelShape, card: Card, lengths: Sequence[int] | None, rows_a_step: int
    ) -> None:
        self.shape, self.card, self.lengths = shape, card, lengths
        self.rows_a_step = rows_a_step
        self._last: tuple[Structure, TrainingRequest, TrainingRequest] | None = None

    def of(self, structure: Structure, *, batching: Batching, compiled: bool) -> Seconds | None:
        """The times of a structure; None where the card's speed for it is unknown."""
        request = self._request(structure, padded=False)
        execution = Execution(compiled=compiled)
        plain = timed_step(self.shape, request, self.card, execution)
        masked = plain
        if request.attention == "sdpa" and are_unequal(self.lengths or (), request.sequence_tokens):
            masked = timed_step(
                self.shape, self._request(structure, padded=True), self.card, execution
            )
        if plain is None or masked is None:
            return None
        if batching == "packed":
            return self._packed(masked, request, execution)

        def seconds(micro: int) -> tuple[int, float]:
            timed = plain if micro == 1 else masked
            accumulation = self.rows_a_step // micro // request.gpus
            rows = self._rows(request, micro, batching)
            step = _micro_step(timed, request, execution, micro, rows, accumulated=accumulation > 1)
            optimizer = timed.seconds.optimizer / accumulation
            return accumulation, (step + optimizer) / (micro * request.gpus)

        return seconds

    def _request(self, structure: Structure, *, padded: bool) -> TrainingRequest:
        """The structure's request with or without a mask; making it takes longer than timing it."""
        if self._last is None or self._last[0] is not structure:
            made = [structure.request.with_batch(padded=each) for each in (False, True)]
            self._last = (structure, made[0], made[1])
        _, plain, masked = self._last
        return masked if padded else plain

    def _packed(self, timed: TimedStep, request: TrainingRequest, execution: Execution) -> Seconds:
        """Full rows; torch's kernel computes every score, those with varlen each row's own."""

        def seconds(micro: int) -> tuple[int, float] | None:
            rows = self._rows(request, micro, "packed")
            together = micro * request.gpus
            accumulation = packed_accumulation(self.rows_a_step, together, rows.held)
            if accumulation is None:
                return None
            step = _micro_step(timed, request, execution, micro, rows, accumulated=accumulation > 1)
            seconds = step + timed.seconds.optimizer / accumulation
            return accumulation, seconds / (together * rows.held)

        return seconds

    def accumulation(self, request: TrainingRequest, micro: int, batching: Batching) -> int:
        """Micro-batches a step, about; at least 1."""
        if batching != "packed":
            return max(1, self.rows_a_step // micro // request.gpus)
        held = self._rows(request, micro, batching).held
        return packed_accumulation(self.rows_a_step, micro * request.gpus, held) or 1

    def _rows(self, request: TrainingRequest, micro: int, batching: Batching) -> RowLengths:
        return row_lengths(
            self.lengths,
            micro_batch=micro,
            longest=request.sequence_tokens,
            batching=batching,
            sees_all=request.attention == "sdpa",
        )


def _micro_step(
    timed: TimedStep,
    request: TrainingRequest,
    execution: Execution,
    micro: int,
    rows: RowLengths,
    *,
    accumulated: bool,
) -> float:
    tokens, scores = micro * rows.padded_tokens, micro * rows.padded_squares
    single = timed.seconds.micro_step(tokens, scores, accumulated=accumulated)
    if request.gpus == 1:
        return single
    return with_communication(single, timed.work, request, timed.rates, timed.constants, execution)
