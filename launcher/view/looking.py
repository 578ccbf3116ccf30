"""What a person chose to look at; the run itself knows nothing of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ChartKind = Literal["memory", "loss", "speed"]
CHART_KINDS: tuple[ChartKind, ...] = ("memory", "loss", "speed")

WIDE_COLUMNS = 110
SIDE_COLUMNS = 38
LEAST_COLUMNS, LEAST_ROWS = 60, 15
"""Below this only a sentence is shown; the keys at the bottom take one more row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Cells that can be drawn on, without the row of the keys."""

    columns: int = 80
    rows: int = 23

    @property
    def wide(self) -> bool:
        """Whether there is room for the panel at the right."""
        return self.columns >= WIDE_COLUMNS

    @property
    def main_columns(self) -> int:
        """Columns of what stands left of that panel."""
        return self.columns - SIDE_COLUMNS if self.wide else self.columns

    @property
    def enough(self) -> bool:
        """Whether the screen can be drawn at all."""
        return self.columns >= LEAST_COLUMNS and self.rows >= LEAST_ROWS


@dataclass(slots=True, kw_only=True)
class Looking:
    """Chart, card, place in the log: what keys change on a run screen."""

    chart: ChartKind = "memory"
    device: int | None = None
    """Place of the card that is shown; None is the fullest one."""
    scrolled: int = 0
    """Lines of the log below the last one that is shown."""
    cursor: float | None = None
    """Share of the chart's time that is looked at; None for now."""
    frozen: bool = False
    note: str | None = None
    """What a key just did."""

    def next_chart(self) -> None:
        """Memory, loss, speed, memory."""
        self.chart = CHART_KINDS[(CHART_KINDS.index(self.chart) + 1) % len(CHART_KINDS)]
        self.cursor = None
