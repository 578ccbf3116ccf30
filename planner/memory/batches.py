"""Micro-batches of rows of unequal lengths, as they follow each other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import accumulate

from planner.request import Batching, TrainingRequest

MANY = 24
"""Micro-batches after which the allocator keeps little more than before."""

_GRID = 200
_ROWS = 1000

_MIXERS = (2_654_435_761, 2_246_822_519, 3_266_489_917)
"""Odd numbers of 32 bits whose multiples are in no order (Knuth's, and two of xxHash's)."""


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


@cache
def _assumed(longest: int) -> list[int]:
    """Lengths spread as Beta(1.2, 1.5) between nothing and the longest: 44 % of it on average."""
    shares = [(number + 0.5) / _GRID for number in range(_GRID)]
    weights = [share**0.2 * (1 - share) ** 0.5 for share in shares]
    total = sum(weights)
    rows: list[int] = []
    for share, upto in zip(shares, accumulate(weights), strict=True):
        rows += [max(1, int(share * longest))] * (round(_ROWS * upto / total) - len(rows))
    return rows


def _mixed(lengths: Sequence[int], order: int) -> list[int]:
    """In no order that lengths know of, and the same every time."""
    mixer = _MIXERS[order % len(_MIXERS)]
    places = sorted(range(len(lengths)), key=lambda at: (at + 1) * mixer % 2**32)
    return [lengths[at] for at in places]


def _longest_of_each(rows: Sequence[int], at_once: int) -> list[int]:
    return [max(rows[at : at + at_once]) for at in range(0, len(rows), at_once)]


def _every(batches: Sequence[int]) -> list[int]:
    """As many as are looked at, from all over."""
    few = min(MANY - 1, len(batches))
    return [batches[number * len(batches) // few] for number in range(few)]
