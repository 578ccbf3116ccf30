"""launcher/view/chart.py: what cells say without colour."""

from __future__ import annotations

import pytest

from launcher.view.chart import (
    MemoryScale,
    bar,
    block_cells,
    chart_top,
    curve_cells,
    memory_cells,
    round_up,
    sparkline,
)
from launcher.view.spans import text_of
from planner.units import GIB

SCALE = MemoryScale(
    top_bytes=8 * GIB, expected_bytes=5 * GIB, low_bytes=4 * GIB, high_bytes=6 * GIB
)


def cells(*gib: float | None, rows: int = 4, scale: MemoryScale = SCALE) -> list[str]:
    values = [None if each is None else each * GIB for each in gib]
    return [text_of(each) for each in memory_cells(values, rows=rows, scale=scale)]


def test_blocks_rise_in_eighths_under_the_prediction() -> None:
    """Two GiB a row: 1 GiB is half a cell, 4.5 GiB two cells and a quarter."""
    assert cells(1, 2, 4.5, None) == [
        "    ",
        "┄┄▂┄",
        "  █ ",
        "▄██ ",
    ]


def test_above_the_band_cells_are_shaded() -> None:
    """What is measured above the upper end is seen without any colour."""
    assert cells(5.9, 7) == [" ▓", "██", "██", "██"]


def test_the_band_is_dotted_where_it_is_wide_enough() -> None:
    """Half a row of it, and the row is marked; the prediction has its own line."""
    assert cells(None, rows=8) == [" ", " ", "·", "┄", " ", " ", " ", " "]


@pytest.mark.parametrize(
    ("free", "high", "expected"),
    [(23, 20, 23), (22, 1.8, 2), (None, 20.4, 25), (10, 20, 25), (39, 20, 39), (41, 20, 25)],
)
def test_the_top_is_what_is_free_where_the_run_comes_near_it(
    free: float | None, high: float, expected: float
) -> None:
    """A run that takes a tenth of what is free would be a line at the bottom."""
    top = chart_top(
        free_bytes=None if free is None else round(free * GIB),
        expected_bytes=round(0.9 * high * GIB),
        high_bytes=round(high * GIB),
        peak_bytes=0,
    )

    assert top == round(expected * GIB)


@pytest.mark.parametrize(("gib", "expected"), [(0.9, 1), (1.1, 1.2), (3.2, 3.5), (81, 100), (0, 0)])
def test_tops_are_round(gib: float, expected: float) -> None:
    """The next round number."""
    assert round_up(gib) == pytest.approx(expected * GIB, abs=2e6)


def test_curves_have_their_dots() -> None:
    """A line from high to low, a dot where something was measured on held-out rows."""
    drawn = curve_cells([3.0, 2.0, 1.0], [None, None, 2.0], rows=3, low=1.0, high=3.0)

    assert [text_of(each) for each in drawn] == ["─  ", " ─•", "  ─"]


def test_small_charts_have_exact_shapes() -> None:
    """A bar is cut at both ends; a curve's highest value is full; blocks start at zero."""
    assert bar(0.5, 4) == ("━━", "──")
    assert (bar(-1, 2), bar(7, 2), bar(0.3, 5)) == (("", "──"), ("━━", ""), ("━╸", "───"))
    assert sparkline([4.0, 1.0]) == "█▁"
    assert (sparkline([]), sparkline([None]), sparkline([1.0, None])) == ("", "", "▁ ")
    assert [text_of(each) for each in block_cells([4.0, 2.0], rows=2, top=4.0)] == ["█ ", "██"]
