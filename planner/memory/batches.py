"""Micro-batches of rows of unequal lengths, as they follow each other."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from planner.request import Batching, TrainingRequest

MANY = 24
"""Micro-batches after which the allocator keeps little more than before."""

_ASSUMED_ROWS = 1000


def batch_lengths(
    request: TrainingRequest, *, batching: Batching | None = None, order: int = 0
) -> tuple[int, ...]:
    """Tokens a row of each of many micro-batches, the longest among them; () where all are alike.

    `batching` is another way to put the rows together than the request's, `order` another chance.
    Lengths that are known to vary, and no more, are taken to be spread as those of instruction
    data are.
    """
    longest = request.sequence_tokens
    if request.lengths is not None:
        rows = [min(length, longest) for length in request.lengths]
    elif request.lengths_vary:
        rows = _assumed(longest)
    else:
        return ()
    batching = batching or request.batching
    if batching == "packed" or len(set(rows)) == 1:
        return ()
    if batching == "grouped":
        of_like_length = _every(_longest_of_each(sorted(rows), request.micro_batch))
        return (longest, *_mixed(of_like_length, order))  # Trainer begins with the longest
    made = _longest_of_each(_mixed(rows, order), request.micro_batch)[: MANY - 1]
    half = len(made) // 2
    return (*made[:half], longest, *made[half:])


def _assumed(longest: int) -> list[int]:
    chance = Random(1)
    return [max(1, int(longest * chance.betavariate(1.2, 1.5))) for _ in range(_ASSUMED_ROWS)]


def _mixed(lengths: Sequence[int], order: int) -> list[int]:
    return Random(order).sample(list(lengths), len(lengths))


def _longest_of_each(rows: Sequence[int], at_once: int) -> list[int]:
    return [max(rows[at : at + at_once]) for at in range(0, len(rows), at_once)]


def _every(batches: Sequence[int]) -> list[int]:
    """As many as are looked at, from all over."""
    few = min(MANY - 1, len(batches))
    return [batches[number * len(batches) // few] for number in range(few)]
