"""Sizes as sums of products of dimensions, so that a step is written once for every shape.

    Size.of("q+2k") * Size.of("N") * 2      2 Nq + 4 Nk bytes

A dimension is one letter. Widths are those of hwdb.symbols (h hidden, q heads x head_dim,
k kv_heads x head_dim, n heads, i MLP, e MLP of one expert, E experts, V vocabulary); a step adds
N tokens of the micro-batch, S tokens of a row, B rows, r rank, X experts a token is sent to. R is
S where the length is known when the step is written: products of two lengths are only then.

All counts of a size lie in one integer, each product of dimensions in a field of its own: sizes
are added and compared whole, which is what following a tape mostly is. Fields count halves, since
half a tensor's elements may be half of a product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import compress
from math import ceil
from operator import mul
from struct import Struct, unpack

Monomial = str
"""Dimensions in alphabetical order, such as "Nh"; "" is a plain number."""

_FIELD_BYTES = 4
_FIELD = 8 * _FIELD_BYTES
_places: dict[Monomial, int] = {}
"""Number of the field of every product of dimensions that was ever asked for."""


class _Fields:
    """Bits of all fields."""

    highest_bits = 0
    """No count reaches them."""
    lowest_bits = 0


class Size:
    """A number of bytes (or elements) as a polynomial of dimensions. Immutable."""

    __slots__ = ("_terms", "packed")

    def __init__(self, packed: int) -> None:
        self.packed = packed
        """Counts side by side: sums and differences of these are those of the sizes."""
        self._terms: Mapping[Monomial, float] | None = None

    @staticmethod
    @cache
    def of(text: str) -> Size:
        """Parse a sum such as "q+2k", "4h", "Vh" or "3"."""
        packed = 0
        for part in text.replace(" ", "").split("+"):
            letters = part.lstrip("0123456789.")
            halves = int(2 * float(part[: len(part) - len(letters)] or "1"))
            packed += halves << _shift("".join(sorted(letters)))
        return Size(packed)

    @staticmethod
    def from_terms(terms: Mapping[Monomial, float]) -> Size:
        """The sum of products of dimensions, each so many times."""
        return Size(sum(int(2 * count) << _shift(product) for product, count in terms.items()))

    @property
    def terms(self) -> Mapping[Monomial, float]:
        """Products of dimensions with their counts; none is zero, all are whole where bytes are."""
        if self._terms is None:
            whole = not self.packed & _Fields.lowest_bits
            packed = self.packed >> 1 if whole else self.packed
            fields = (packed.bit_length() + _FIELD - 1) // _FIELD
            counts = unpack(f"<{fields}I", packed.to_bytes(_FIELD_BYTES * fields, "little"))
            terms = dict(zip(compress(_places, counts), filter(None, counts), strict=True))
            self._terms = terms if whole else {each: terms[each] / 2 for each in terms}
        return self._terms

    def __add__(self, other: Size) -> Size:
        return Size(self.packed + other.packed)

    def __sub__(self, other: Size) -> Size:
        """What is left of the size without a part of it."""
        return Size(self.packed - other.packed)

    def __mul__(self, other: Size | int) -> Size:
        if isinstance(other, Size):
            return _product(self.packed, other.packed)
        return Size(self.packed * other)

    def half(self) -> Size:
        """Half of it. Raises ValueError where that is no whole number."""
        if self.packed & _Fields.lowest_bits:
            raise ValueError(f"{self} has no half")
        return Size(self.packed >> 1)

    def __bool__(self) -> bool:
        return self.packed != 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Size) and self.packed == other.packed

    def __hash__(self) -> int:
        return hash(self.packed)

    def __repr__(self) -> str:
        return " + ".join(f"{count:g}{product}" for product, count in self.terms.items()) or "0"

    def at(self, dimensions: Dimensions) -> float:
        """The number, once every dimension is known."""
        terms = self.terms
        # Most of an estimate's time is spent here: multiplied and summed without a Python loop.
        total: float = sum(map(mul, terms.values(), map(dimensions.__getitem__, terms)))
        return total

    def is_covered_by(self, other: Size) -> bool:
        """Whether `other` is at least as large whatever the dimensions are."""
        return covers(other.packed, self.packed)


def covers(one: int, other: int) -> bool:
    """Whether no count of a packed size is smaller: no guard lends a bit to its field."""
    guards = _Fields.highest_bits
    return (one | guards) - other & guards == guards


def turns(sizes: Sequence[int]) -> list[int]:
    """Numbers of the packed sizes that no neighbour covers; of equal ones the first."""
    guards = _Fields.highest_bits
    kept: list[int] = []
    before = 0  # the size kept last
    for number, size in enumerate(sizes):
        if kept and size == before:
            continue
        guarded = size | guards
        while kept and guarded - before & guards == guards:
            kept.pop()
            before = sizes[kept[-1]] if kept else 0
            if size == before:
                break
        if not kept or (size != before and (before | guards) - size & guards != guards):
            kept.append(number)
            before = size
    return kept


def side_by_side(sizes: Sequence[int], field_bytes: int) -> dict[Monomial, int]:
    """Packed sizes the other way round: the counts of each product, in their order.

    Each count has a field of so many bytes in the integer of its product, the first the highest.
    """
    present = 0
    for size in sizes:
        present |= size
    assert not present & _Fields.lowest_bits  # bytes are whole
    width = _FIELD_BYTES * len(_places)
    counts = memoryview(b"".join(size.to_bytes(width, "little") for size in sizes)).cast("I")
    fields = Struct(">" + f"{field_bytes - _FIELD_BYTES}xI" * len(sizes))
    columns = {}
    somewhere = memoryview(present.to_bytes(width, "little")).cast("I")
    for product, place in compress(_places.items(), somewhere):
        column = fields.pack(*counts[place :: len(_places)].tolist())
        columns[product] = int.from_bytes(column, "big") >> 1
    return columns


def _shift(product: Monomial) -> int:
    """Where the field of a product begins."""
    if product not in _places:
        begin = _FIELD * len(_places)
        _places[product] = len(_places)
        _Fields.lowest_bits |= 1 << begin
        _Fields.highest_bits |= 1 << begin + _FIELD - 1
    return _FIELD * _places[product]


@cache
def _product(left: int, right: int) -> Size:
    terms: dict[Monomial, float] = {}
    for one, count in Size(left).terms.items():
        for other, more in Size(right).terms.items():
            product = "".join(sorted(one + other))
            terms[product] = terms.get(product, 0) + count * more
    return Size.from_terms(terms)


class Dimensions(dict[Monomial, float]):
    """Values of the dimensions; products of them are computed once, when first asked for.

    `a_token` is that of Y, which need be no whole number: what it makes of the widths is rounded up
    before the batch comes in, whose own letters are N, S, R and B.
    """

    a_token: float = 0

    def __missing__(self, product: Monomial) -> float:
        value: float = 1
        batch: float = 1
        for letter in product:
            if letter == "Y":
                value *= self.a_token
            elif len(product) == 1:
                raise KeyError(product)
            elif letter in "NSRB":
                batch *= self[letter]
            else:
                value *= self[letter]
        made = self[product] = ceil(value) * batch
        return made


NOTHING = Size(0)
