"""Rows that stand in the data more than once, found by their keys in little memory."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

_ROWS_AT_ONCE = 200_000


class Repeat(NamedTuple):
    """A row that repeats an earlier one; both counted from 0 among the good rows."""

    row: int
    first: int
    same_label: bool


def repeats_in(keys: Sequence[int], labels: Sequence[int] = ()) -> list[Repeat]:
    """Every row whose key an earlier row has, in the order of rows.

    Keys are looked at in slices of their value range, so that a table of all of them never
    exists: a dictionary of ten million rows would take a gigabyte.
    """
    slices = max(1, len(keys) // _ROWS_AT_ONCE)
    found = []
    for part in range(slices):
        first_rows: dict[int, int] = {}
        for row, key in enumerate(keys):
            if slices > 1 and key % slices != part:
                continue
            first = first_rows.setdefault(key, row)
            if first != row:
                same = not labels or labels[row] == labels[first]
                found.append(Repeat(row, first, same))
    return sorted(found)


def shared_keys(keys: Sequence[int], others: Sequence[int]) -> array[int]:
    """Rows of `keys`, counted from 0, whose key occurs among `others` too."""
    known = frozenset(others)
    return array("L", (row for row, key in enumerate(keys) if key in known))
