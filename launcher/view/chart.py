"""Charts in eighth blocks: measured memory under its prediction, and curves over the whole run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from launcher.view.spans import Line, Role, Span
from planner.units import GIB

BLOCKS = " ▁▂▃▄▅▆▇█"
LINE_SIGN, BAND_SIGN, OVER_SIGN, DOT_SIGN = "┄", "·", "▓", "•"

_BAND_SHARE = 0.5
"""A row of cells belongs to the band when this share of it does."""
_NICE_STEPS = (1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryScale:
    """What a memory chart is drawn against, in bytes."""

    top_bytes: int
    """Value of the upper edge."""
    expected_bytes: int
    low_bytes: int
    high_bytes: int

    def label(self, row: int, rows: int) -> str:
        """Upper edge of a row counted from the top, in GiB."""
        value = self.top_bytes * (rows - row) / rows / GIB
        decimals = 2 if self.top_bytes < 4 * GIB else 1 if self.top_bytes < 400 * GIB else 0
        return f"{value:.{decimals}f}"


def chart_top(
    *, free_bytes: int | None, expected_bytes: int, high_bytes: int, peak_bytes: int
) -> int:
    """Upper edge of a memory chart: what is free where the run comes near it, else a round number.

    A run that takes a tenth of what is free would be a line at the bottom.
    """
    needed = max(expected_bytes, high_bytes, peak_bytes, 1)
    if free_bytes is not None and needed <= free_bytes <= 2 * needed:
        return free_bytes
    return round_up(1.08 * needed / GIB)


def round_up(gib: float) -> int:
    """The next round number of GiB, in bytes."""
    scale = 10.0 ** math.floor(math.log10(max(gib, 1e-3)))
    step = next((each for each in _NICE_STEPS if each * scale >= gib), 10)
    return round(step * scale * GIB)


def memory_cells(values: Sequence[float | None], *, rows: int, scale: MemoryScale) -> list[Line]:
    """The chart's cells, top row first: one column a value, None for time that is to come.

    Over empty cells stand the prediction and its band; what is measured above the band is
    shaded, so that no colour is needed to see it.
    """
    heights = [None if value is None else value / scale.top_bytes * rows for value in values]
    lines = []
    for row in range(rows):
        floor = rows - 1 - row
        empty = _prediction_sign(floor, rows, scale)
        cells = [_cell(height, floor, rows, scale, empty) for height in heights]
        lines.append(_joined(cells))
    return lines


def _cell(height: float | None, floor: int, rows: int, scale: MemoryScale, empty: Span) -> Span:
    if height is None:
        return empty
    level = round((height - floor) * 8)
    if level <= 0:
        return empty
    top_bytes = (floor + 1) / rows * scale.top_bytes
    if height / rows * scale.top_bytes > scale.high_bytes < top_bytes:
        return Span(OVER_SIGN, "over")
    return Span(BLOCKS[min(8, level)], "measured")


def _prediction_sign(floor: int, rows: int, scale: MemoryScale) -> Span:
    """What an empty cell of a row shows: the prediction, its band, or nothing."""
    bottom, top = (edge / rows * scale.top_bytes for edge in (floor, floor + 1))
    if bottom < scale.expected_bytes <= top:
        return Span(LINE_SIGN, "predicted")
    inside = min(top, scale.high_bytes) - max(bottom, scale.low_bytes)
    if inside >= _BAND_SHARE * (top - bottom):
        return Span(BAND_SIGN, "predicted")
    return Span(" ")


def block_cells(values: Sequence[float | None], *, rows: int, top: float) -> list[Line]:
    """Values from 0 to `top` as columns of blocks, top row first."""
    lines = []
    for row in range(rows):
        floor = rows - 1 - row
        cells = []
        for value in values:
            level = 0 if value is None or top <= 0 else round((value / top * rows - floor) * 8)
            cells.append(Span(BLOCKS[max(0, min(8, level))], "measured"))
        lines.append(_joined(cells))
    return lines


def curve_cells(
    values: Sequence[float | None],
    points: Sequence[float | None],
    *,
    rows: int,
    low: float,
    high: float,
) -> list[Line]:
    """A curve with dots on it, top row first; `low` and `high` are the chart's edges."""
    span = (high - low) or 1.0

    def row_of(value: float) -> int:
        return min(rows - 1, max(0, round((high - value) / span * (rows - 1))))

    lines = []
    for row in range(rows):
        cells = []
        for value, point in zip(values, points, strict=True):
            if point is not None and row_of(point) == row:
                cells.append(Span(DOT_SIGN, "predicted"))
            elif value is not None and row_of(value) == row:
                cells.append(Span("─", "measured"))
            else:
                cells.append(Span(" "))
        lines.append(_joined(cells))
    return lines


def sparkline(values: Sequence[float | None]) -> str:
    """Values as one row of small bars; the highest is full."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, span = min(known), (max(known) - min(known)) or 1.0
    signs = BLOCKS[1:]
    return "".join(
        " " if value is None else signs[round((value - low) / span * (len(signs) - 1))]
        for value in values
    )


def bar(fraction: float, columns: int) -> tuple[str, str]:
    """The full and the empty part of a progress bar."""
    halves = round(min(1.0, max(0.0, fraction)) * columns * 2)
    full = "━" * (halves // 2) + "╸" * (halves % 2)
    return full, "─" * (columns - len(full))


def _joined(cells: Sequence[Span]) -> Line:
    """Neighbours of one role as one span: a row is a handful of pieces, not a hundred."""
    joined: list[tuple[list[str], Role]] = []
    for cell in cells:
        if joined and (joined[-1][1] == cell.role or cell.text == " "):
            joined[-1][0].append(cell.text)
        else:
            joined.append(([cell.text], cell.role))
    return tuple(Span("".join(texts), role) for texts, role in joined)
