"""Rounding that never contradicts itself."""

from __future__ import annotations

import random

import pytest

from launcher.output.numbers import count_text, gib, parameters_text, shares, tenths
from launcher.output.style import Style

GIB = 2**30


def test_shares_add_up_to_the_total_as_shown() -> None:
    """Whatever the parts, what is shown of them adds up, and none is off by a whole tenth."""
    draw = random.Random(0)
    for _ in range(500):
        parts = {str(number): draw.randrange(20 * GIB) for number in range(draw.randrange(1, 9))}
        total = sum(parts.values())
        shown = shares(parts, total)

        assert sum(shown.values()) == tenths(total)
        for name, count in shown.items():
            assert abs(count - 10 * parts[name] / GIB) <= 1


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (8_030_261_248, "8.03 B"),
        (70_553_706_496, "70.6 B"),
        (134_515_008, "135 M"),
        (999_000, "999 k"),
        (1_236_000_000_000, "1.24 T"),
        (9_996_000_000, "10.0 B"),
        (999, "999"),
    ],
)
def test_parameters_have_three_digits(count: int, text: str) -> None:
    """Three digits and the unit."""
    assert parameters_text(count) == text


def test_thousands_are_set_apart() -> None:
    """With a space, as 128 256."""
    assert count_text(128256) == "128 256"
    assert count_text(16) == "16"


def test_gib_has_one_decimal() -> None:
    """Bytes are shown as GiB."""
    assert gib(25_757_220_864) == "24.0"


def test_a_bar_is_as_wide_as_asked() -> None:
    """Full, empty and overflowing bars keep their width."""
    for style in (Style(), Style(unicode=False)):
        assert len(style.bar(3, 10)) == 10
        assert len(style.bar(10, 10, beyond=True)) == 10
