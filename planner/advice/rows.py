"""What the lengths of the data's rows make of a step, and which ways of batching them are safe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from planner.request import Batching, TrainingRequest
from planner.shape import ModelShape
from planner.speed.lengths import RowLengths, row_lengths, thinned

_MOST_OVER = 1.5
"""Rows a step that packing may make of one: fuller packed rows would change what is learned."""


def with_lengths(request: TrainingRequest, lengths: Sequence[int]) -> TrainingRequest:
    """The step as its memory is estimated: no longer than the longest row, unequal as the rows.

    The request itself where nothing is known of its rows.
    """
    if request.batching == "packed":
        return request.as_computed  # every packed row is as long as the plan says
    if not lengths:
        return request
    seen = _seen(lengths, request.sequence_tokens)
    padded = request.micro_batch > 1 and seen.unequal
    if padded != request.padded:
        request = replace(request, padded=padded)
    return request.with_batch(lengths=seen.few, sequence_tokens=seen.longest)


def over_rows(request: TrainingRequest, lengths: Sequence[int]) -> TrainingRequest:
    """The step as its time is estimated: over all these rows, masked only where they differ."""
    if not lengths:
        return request
    padded = request.padded and are_unequal(lengths, request.sequence_tokens)
    return request.with_batch(lengths=lengths, padded=padded)


def are_unequal(lengths: Sequence[int], sequence_tokens: int) -> bool:
    """Whether rows that are cut there differ: only then does a batch of them need a mask."""
    return bool(lengths) and _seen(lengths, sequence_tokens).unequal


class _Seen(NamedTuple):
    """Rows as they are cut."""

    few: tuple[int, ...]
    longest: int
    unequal: bool


_MOST = 64
_known: dict[tuple[int, int], tuple[Sequence[int], _Seen]] = {}
"""By identity of the lengths, which are kept so that no others can take their place."""


def _seen(lengths: Sequence[int], sequence_tokens: int) -> _Seen:
    key = (id(lengths), sequence_tokens)
    found = _known.get(key)
    if found is None:
        if len(_known) >= _MOST:
            _known.clear()
        few = thinned(lengths)
        longest = min(sequence_tokens, max(few))
        unequal = min(few) < longest
        found = _known[key] = (lengths, _Seen(few, longest, unequal))
    return found[1]


def safe_batchings(
    shape: ModelShape, request: TrainingRequest, lengths: Sequence[int]
) -> tuple[Batching, ...]:
    """How rows of unequal lengths can be put together without one seeing another."""
    if not are_unequal(lengths, request.sequence_tokens):
        return ("random",)
    if request.task == "causal-lm" and packs(shape):
        return ("random", "grouped", "packed")
    return ("random", "grouped")


def packs(shape: ModelShape) -> bool:
    """Whether rows packed behind each other are known not to see each other in this model."""
    return shape.family.packs and shape.recognized


def packed_rows(request: TrainingRequest, lengths: Sequence[int]) -> RowLengths:
    """How full the packed rows of this request are."""
    return row_lengths(
        lengths, micro_batch=1, longest=request.sequence_tokens, batching="packed", sees_all=False
    )


def rows_held(request: TrainingRequest, lengths: Sequence[int]) -> float:
    """Rows of the data in one row of this request: 1, or what a packed one holds."""
    if request.batching != "packed" or not lengths:
        return 1.0
    return packed_rows(request, lengths).held


def packed_accumulation(rows: int, micro_batch: int, held: float) -> int | None:
    """Micro-batches of packed rows that come nearest to `rows` of the data a step.

    None where already one of them holds far more, which would change what is learned.
    """
    steps = max(1, round(rows / (micro_batch * held)))
    return steps if steps * micro_batch * held <= _MOST_OVER * rows else None
