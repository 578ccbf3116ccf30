"""How long the rows of a micro-batch are once they stand side by side, filled up to the longest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class RowLengths(NamedTuple):
    """Means over the micro-batches of a data set."""

    padded_tokens: float
    """Tokens of a row as computed: its batch's longest."""
    padded_squares: float
    """Mean of their squares, which attention grows with."""
    real_tokens: float
    """Tokens of a row itself, cut at the longest kept."""


def row_lengths(lengths: Sequence[int] | None, *, micro_batch: int, longest: int) -> RowLengths:
    """Lengths of rows drawn at random into micro-batches; without data every row is full."""
    if not lengths:
        return RowLengths(float(longest), float(longest) ** 2, float(longest))
    key = (id(lengths), micro_batch, longest)
    found = _known.get(key)
    if found is None:
        if len(_known) >= _MOST:
            _known.clear()
        found = _known[key] = (lengths, _drawn(lengths, micro_batch, longest))
    return found[1]


_MOST = 256
_known: dict[tuple[int, int, int], tuple[Sequence[int], RowLengths]] = {}
"""By identity: hashing ten thousand lengths takes longer than all the rest. They are kept, so that
no others can take their place."""


def _drawn(lengths: Sequence[int], micro_batch: int, longest: int) -> RowLengths:
    """The longest of `micro_batch` rows drawn at random, by its distribution."""
    ordered = sorted(min(length, longest) for length in lengths)
    count = len(ordered)
    padded = squares = below = 0.0
    for number, length in enumerate(ordered, start=1):
        upto = (number / count) ** micro_batch
        padded += length * (upto - below)
        squares += length * length * (upto - below)
        below = upto
    return RowLengths(padded, squares, sum(ordered) / count)
