"""Where names can stand beside points so that none covers another name or a point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

LABEL_STYLE = "font:11px ui-monospace,monospace"
_CHARACTER = 6.7
"""Width of a character of a monospaced font of 11 pixels, a little generous."""
_HEIGHT = 14.0
_POINT = 6.0
"""Half the side of the square around a point."""
_REACHES = (9.0, 22.0, 38.0)
"""From a point to its name: beside it, or so far away that a line has to lead there."""


class Box(NamedTuple):
    """A rectangle, its sides parallel to the axes."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether the two have an area in common."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def inside(self, other: Box) -> bool:
        """Whether it lies within the other."""
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.top >= other.top
            and self.bottom <= other.bottom
        )


class Label(NamedTuple):
    """A name and where its text begins; `away` where a line should lead to its point."""

    text: str
    box: Box
    away: bool

    @property
    def start(self) -> tuple[float, float]:
        """Left end of the base line."""
        return self.box.left + 1, self.box.bottom - 3.5


def placed(
    names: Sequence[str], points: Sequence[tuple[float, float]], frame: Box
) -> list[Label | None]:
    """A label for each point, the first ones first; None where no free place is left near it."""
    marks = [Box(x - _POINT, y - _POINT, x + _POINT, y + _POINT) for x, y in points]
    found: list[Label | None] = []
    taken: list[Box] = []
    for number, (name, (x, y)) in enumerate(zip(names, points, strict=True)):
        others = [*taken, *marks[:number], *marks[number + 1 :]]
        label = _free_place(name, x, y, others, frame)
        found.append(label)
        if label is not None:
            taken.append(label.box)
    return found


def _free_place(name: str, x: float, y: float, others: Sequence[Box], frame: Box) -> Label | None:
    width = _CHARACTER * len(name) + 2
    for reach in _REACHES:
        for left, middle in _around(x, y, width, reach):
            box = Box(left, middle - _HEIGHT / 2, left + width, middle + _HEIGHT / 2)
            if box.inside(frame) and not any(box.meets(other) for other in others):
                return Label(name, box, away=reach > _REACHES[0])
    return None


def _around(x: float, y: float, width: float, reach: float) -> tuple[tuple[float, float], ...]:
    """Left end and middle height of a label: right, left, then above and below."""
    rise = reach + _HEIGHT / 2 - 2
    return (
        (x + reach, y),
        (x - reach - width, y),
        (x - width / 2, y - rise),
        (x - width / 2, y + rise),
        (x + reach / 2, y - rise),
        (x + reach / 2, y + rise),
        (x - reach / 2 - width, y - rise),
        (x - reach / 2 - width, y + rise),
    )
