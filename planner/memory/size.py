"""Sizes as sums of products of dimensions, so that a step is written once for every shape.

    Size.of("q+2k") * Size.of("N") * 2      2 Nq + 4 Nk bytes

A dimension is one letter. Widths are those of hwdb.symbols (h hidden, q heads x head_dim,
k kv_heads x head_dim, n heads, i MLP, e MLP of one expert, E experts, V vocabulary); a step adds
N tokens of the micro-batch, S tokens of a row, B rows, r rank, X experts a token is sent to. R is
S where the length is known when the step is written: products of two lengths are only then.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from operator import mul

Monomial = str
"""Dimensions in alphabetical order, such as "Nh"; "" is a plain number."""


class Size:
    """A number of bytes (or elements) as a polynomial of dimensions. Immutable."""

    __slots__ = ("terms",)

    def __init__(self, terms: Mapping[Monomial, float]) -> None:
        self.terms = {product: count for product, count in terms.items() if count}

    @staticmethod
    @cache
    def of(text: str) -> Size:
        """Parse a sum such as "q+2k", "4h", "Vh" or "3"."""
        terms: dict[Monomial, float] = {}
        for part in text.replace(" ", "").split("+"):
            letters = part.lstrip("0123456789.")
            product = "".join(sorted(letters))
            number = part[: len(part) - len(letters)] or "1"
            count = float(number) if "." in number else int(number)
            terms[product] = terms.get(product, 0) + count
        return Size(terms)

    def __add__(self, other: Size) -> Size:
        # A tape's replay adds some ten thousand sizes: no term is looked at twice.
        if not other.terms:
            return self
        if not self.terms:
            return other
        terms = dict(self.terms)
        for product, count in other.terms.items():
            total = terms.get(product, 0) + count
            if total:
                terms[product] = total
            else:
                del terms[product]
        return Size._of_terms(terms)

    def __sub__(self, other: Size) -> Size:
        return self + other * -1 if other.terms else self

    @staticmethod
    def _of_terms(terms: dict[Monomial, float]) -> Size:
        """Terms of which none is zero."""
        made = Size.__new__(Size)
        made.terms = terms
        return made

    def __mul__(self, other: Size | float) -> Size:
        if not isinstance(other, Size):
            if not other:
                return NOTHING
            terms = {product: count * other for product, count in self.terms.items()}
            return Size._of_terms(terms)
        terms = {}
        for left, left_count in self.terms.items():
            for right, right_count in other.terms.items():
                product = _joined(left, right)
                terms[product] = terms.get(product, 0) + left_count * right_count
        return Size(terms)

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __repr__(self) -> str:
        return " + ".join(f"{count:g}{product}" for product, count in self.terms.items()) or "0"

    def at(self, dimensions: Dimensions) -> float:
        """The number, once every dimension is known."""
        # Most of an estimate's time is spent here: multiplied and summed without a Python loop.
        total: float = sum(map(mul, self.terms.values(), map(dimensions.__getitem__, self.terms)))
        return total

    def whole(self) -> Size:
        """With integers for its numbers, as bytes are; half a tensor's elements may be none.

        Raises ValueError for a fraction.
        """
        terms: dict[Monomial, float] = {}
        for product, count in self.terms.items():
            terms[product] = int(count)
        if terms != self.terms:
            raise ValueError(f"{self} is no whole number of bytes")
        return Size._of_terms(terms)

    def is_covered_by(self, other: Size) -> bool:
        """Whether `other` is at least as large whatever the dimensions are."""
        own, more = self.terms, other.terms
        for product, count in own.items():
            if count > more.get(product, 0):
                return False
        for product, count in more.items():  # noqa: SIM110 - a generator takes twice as long
            if count < 0 and product not in own:
                return False
        return True


@cache
def _joined(left: Monomial, right: Monomial) -> Monomial:
    return "".join(sorted(left + right))


class Dimensions(dict[Monomial, float]):
    """Values of the dimensions; products of them are computed once, when first asked for."""

    def __missing__(self, product: Monomial) -> float:
        value: float = 1
        for letter in product:
            if len(product) == 1:
                raise KeyError(product)
            value *= self[letter]
        self[product] = value
        return value


NOTHING = Size({})
