"""How long rows are once they stand in a micro-batch: filled up, grouped by length, or packed."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from typing import NamedTuple

from planner.request import Batching

_PACKED_ROWS_LOOKED_AT = 1000
_GROUPS_SORTED = 50
"""Micro-batches whose rows are sorted together when rows are grouped: as launcher.training does."""
_MOST_IN_MEMORY = 1000
"""Lengths that memory is estimated from."""


class RowLengths(NamedTuple):
    """Means over the micro-batches of a data set."""

    padded_tokens: float
    """Tokens of a row as computed: its batch's longest; of a packed row, those it is filled with.
    """
    padded_squares: float
    """Mean of their squares, which attention grows with."""
    real_tokens: float
    """Tokens of a row itself, cut at the longest kept."""
    held: float = 1.0
    """Rows of the data that one of them holds: more than one where they are packed."""


def row_lengths(
    lengths: Sequence[int] | None,
    *,
    micro_batch: int,
    longest: int,
    batching: Batching = "random",
    sees_all: bool = True,
) -> RowLengths:
    """Lengths of the rows in micro-batches; without data every row is full.

    A packed micro-batch is one row of all its tokens; `sees_all` says whether attention computes
    every score of it, or only those within each row of the data.
    """
    if not lengths:
        seen = micro_batch if batching == "packed" and sees_all else 1
        return RowLengths(float(longest), seen * float(longest) ** 2, float(longest))
    key = (id(lengths), micro_batch, longest, batching, sees_all)
    found = _known.get(key)
    if found is None:
        if len(_known) >= _MOST:
            _known.clear()
        if batching == "packed":
            made = _packed(lengths, micro_batch, longest, sees_all=sees_all)
        else:
            made = _HOW[batching](_cut(lengths, longest), micro_batch)
        found = _known[key] = (lengths, made)
    return found[1]


def thinned(lengths: Sequence[int]) -> tuple[int, ...]:
    """As many of the lengths as tell how they are spread, the longest among them."""
    if len(lengths) <= _MOST_IN_MEMORY:
        return tuple(lengths)
    ordered = sorted(lengths, reverse=True)
    return tuple(ordered[:: -(-len(ordered) // _MOST_IN_MEMORY)])


_MOST = 512
_known: dict[tuple[int, int, int, str, bool], tuple[Sequence[int], RowLengths]] = {}
"""By identity: hashing ten thousand lengths takes longer than all the rest. They are kept, so that
no others can take their place."""
_sorted: dict[tuple[int, int], tuple[Sequence[int], list[int]]] = {}


def _cut(lengths: Sequence[int], longest: int) -> list[int]:
    """Sorted, none above `longest`."""
    key = (id(lengths), longest)
    found = _sorted.get(key)
    if found is None:
        if len(_sorted) >= _MOST:
            _sorted.clear()
        found = _sorted[key] = (lengths, sorted(min(length, longest) for length in lengths))
    return found[1]


def _drawn(ordered: Sequence[int], micro_batch: int) -> RowLengths:
    """The longest of `micro_batch` rows drawn at random, by its distribution."""
    count = len(ordered)
    padded = squares = below = 0.0
    for number, length in enumerate(ordered, start=1):
        upto = (number / count) ** micro_batch
        padded += length * (upto - below)
        squares += length * length * (upto - below)
        below = upto
    return RowLengths(padded, squares, sum(ordered) / count)


def _grouped(ordered: Sequence[int], micro_batch: int) -> RowLengths:
    """Each micro-batch holds a slice of what was sorted together, as long as its longest."""
    count = len(ordered)
    groups = max(1, min(_GROUPS_SORTED, count // micro_batch)) if micro_batch > 1 else count
    ends = [ordered[-(-number * count // groups) - 1] for number in range(1, groups + 1)]
    padded = sum(ends) / groups
    return RowLengths(padded, sum(end * end for end in ends) / groups, sum(ordered) / count)


_HOW: dict[str, Callable[[Sequence[int], int], RowLengths]] = {
    "random": _drawn,
    "grouped": _grouped,
}


def _packed(
    lengths: Sequence[int], micro_batch: int, longest: int, *, sees_all: bool
) -> RowLengths:
    ordered = _cut(lengths, longest)
    step = max(1, len(ordered) // _PACKED_ROWS_LOOKED_AT)
    rows = ordered[step // 2 :: step]
    held = len(rows) / packed_count(rows, longest)
    mean = sum(ordered) / len(ordered)
    full = held * mean
    seen = micro_batch * full if sees_all else sum(row * row for row in rows) / sum(rows)
    return RowLengths(full, full * seen, full, held)


def packed_count(rows: Sequence[int], size: int) -> int:
    """Packed rows of `size` tokens: the longest first, each where it leaves least room (bfd)."""
    room: list[int] = []
    for row in sorted(rows, reverse=True):
        at = bisect_left(room, row)
        left = size if at == len(room) else room.pop(at)
        insort(room, left - row)
    return len(room)
