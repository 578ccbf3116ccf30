"""Sizes add, multiply and compare as the polynomials they are."""

from __future__ import annotations

import pytest

from planner.memory.size import NOTHING, Dimensions, Size, turns


def test_a_size_reads_like_a_formula() -> None:
    """Widths, tokens and bytes multiply term by term."""
    size = Size.of("q+2k") * Size.of("N") * 2

    assert size.at(Dimensions(q=8, k=2, N=10)) == 2 * 10 * (8 + 2 * 2)


@pytest.mark.parametrize(
    ("text", "value"), [("h", 3), ("4h", 12), ("Vh", 15), ("7", 7), ("h + h", 6), ("1.5h", 4.5)]
)
def test_texts_are_sums_of_products(text: str, value: float) -> None:
    """Letters are dimensions, numbers before them factors."""
    assert Size.of(text).at(Dimensions(h=3, V=5)) == value


def test_the_order_of_factors_does_not_matter() -> None:
    """Vh and hV are one product."""
    assert Size.of("Vh").terms == Size.of("hV").terms


def test_what_cancels_is_nothing() -> None:
    """A size less itself has no terms and is false."""
    left = Size.of("h+2q") - Size.of("h+2q")

    assert not left
    assert left.terms == NOTHING.terms


def test_covering_holds_for_all_dimensions() -> None:
    """A larger factor covers a smaller one; two different letters cover neither way."""
    assert Size.of("2h").is_covered_by(Size.of("2h+q"))
    assert not Size.of("3h").is_covered_by(Size.of("2h+q"))
    assert not Size.of("h").is_covered_by(Size.of("q"))
    assert not Size.of("q").is_covered_by(Size.of("h"))


def test_an_unknown_dimension_is_an_error() -> None:
    """A letter without a value is a mistake, not zero."""
    with pytest.raises(KeyError):
        Size.of("Nz").at(Dimensions(N=2))


def test_turns_are_the_sizes_that_no_neighbour_covers() -> None:
    """A row of sizes that only grow has one, and so have equal ones: the first."""
    sizes = [Size.of(text).packed for text in ("h", "h+q", "h+2q", "k", "k", "3h+k", "h")]

    assert turns(sizes) == [2, 5]
    assert turns(sizes[3:5]) == [0]
