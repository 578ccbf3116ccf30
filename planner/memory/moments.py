"""The moments of a pass, of which a batch decides the largest: all looked at together.

The sizes of all moments lie side by side in one integer for each product of dimensions, so a few
multiplications evaluate every moment at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property
from operator import ge, mul
from struct import Struct
from typing import NamedTuple

from planner.memory.size import Dimensions, Monomial, Size, side_by_side, turns

Marked = tuple[str, int, int, int]
"""A moment whose sizes are packed."""

_FIELD_BYTES = 24
"""Of each moment in such an integer: more than the largest batch of the widest model takes."""


class Moment(NamedTuple):
    """What is alive at one moment, beyond what was alive when the pass began."""

    name: str
    total: Size
    saved: Size
    """The share of `total` kept for backward."""
    weight_gradients: Size
    """The share of `total` that stays after the pass."""


Coefficients = tuple[int, int, int, int]
"""Bytes that are fixed, and those that grow with S, N and NS."""


class Totals(NamedTuple):
    """Bytes of all moments, side by side: numbers that grow with N, S, r or products of them."""

    grow_with: list[Monomial]
    numbers: list[int]


class Moments:
    """The moments of a pass that may be its largest, in their order."""

    def __init__(self, marked: Sequence[Marked]) -> None:
        # Most moments only lead to the next one.
        self._marked = [marked[number] for number in turns([total for _, total, _, _ in marked])]
        self._known: dict[int, Moment] = {}
        self._fields = Struct(f"{_FIELD_BYTES}s" * len(self._marked))

    def __len__(self) -> int:
        return len(self._marked)

    def __getitem__(self, number: int) -> Moment:
        moment = self._known.get(number)
        if moment is None:
            name, *packed = self._marked[number]
            moment = self._known[number] = Moment(name, *map(Size, packed))
        return moment

    def totals(self, widths: Dimensions) -> Totals:
        """The totals side by side, in numbers but for the batch and the rank."""
        return Totals(
            list(self._growing),
            [
                sum(map(mul, counts, map(widths.__getitem__, products)))
                for products, counts in self._growing.values()
            ],
        )

    def largest(self, totals: Totals, batch: Dimensions) -> tuple[Moment, int]:
        """The first of the largest moments, and its bytes.

        `totals` are those of a model, `batch` says N, S and r.
        """
        numbers = sum(map(mul, totals.numbers, map(batch.__getitem__, totals.grow_with)))
        each = self._fields.unpack(numbers.to_bytes(self._fields.size, "big"))
        most = max(each)  # big-endian numbers are ordered like their bytes
        return self[each.index(most)], int.from_bytes(most, "big")

    def ever_largest(self, totals: Totals, rank: int) -> list[tuple[Moment, Coefficients]]:
        """The moments that no other exceeds whatever the batch is, in their order."""
        columns = dict.fromkeys(("", "S", "N", "NS"), 0)
        for grows_with, numbers in zip(totals.grow_with, totals.numbers, strict=True):
            columns[grows_with.replace("r", "")] += numbers * rank ** grows_with.count("r")
        rows = list(zip(*map(self._each, columns.values()), strict=True))
        kept: list[int] = []
        # Whatever covers a moment comes before it, of equal ones the first.
        for number in sorted(range(len(rows)), key=lambda number: rows[number][::-1], reverse=True):
            if not any(all(map(ge, rows[other], rows[number])) for other in kept):
                kept.append(number)
        return [(self[number], rows[number]) for number in sorted(kept)]

    def _each(self, numbers: int) -> list[int]:
        """Numbers of all moments that lie side by side in one."""
        fields = self._fields.unpack(numbers.to_bytes(self._fields.size, "big"))
        return [int.from_bytes(field, "big") for field in fields]

    @cached_property
    def _growing(self) -> dict[Monomial, tuple[list[Monomial], list[int]]]:
        """Products of widths with their counts, by what of the batch they are multiplied with."""
        grown: dict[Monomial, tuple[list[Monomial], list[int]]] = {}
        totals = [total for _, total, _, _ in self._marked]
        for product, count in side_by_side(totals, _FIELD_BYTES).items():
            grows_with, widths = _parted(product)
            products, counts = grown.setdefault(grows_with, ([], []))
            products.append(widths)
            counts.append(count)
        return grown


@cache
def _parted(product: Monomial) -> tuple[Monomial, Monomial]:
    """What of a batch a product grows with, and its widths."""
    # A width that is no whole number is rounded up with all others, the rank among them.
    of_batch = "NS" if "Y" in product else "NSr"
    return (
        "".join(letter for letter in product if letter in of_batch),
        "".join(letter for letter in product if letter not in of_batch),
    )
