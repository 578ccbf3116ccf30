"""Time against money as a scatter plot on logarithmic axes, in plain SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import ceil, floor, log10

from launcher.output.market_text import money, origin_text, rent_text
from launcher.output.svg_labels import LABEL_STYLE, Box, placed
from planner.market.pick import best_per_card
from planner.market.rent import Rented
from planner.units import duration_text

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 860, 430, 70, 48, 14
_COLOUR = "#0072B2"


def scatter(options: Sequence[Rented]) -> str:
    """A point for the cheapest way to rent each card; hours to the right, dollars upwards."""
    points = best_per_card(options)
    if not points:
        return "<p>No offer is for a card that this runs on and whose speed is known.</p>"
    across = _Axis([one.hours.expected for one in points], _LEFT, _WIDTH - 110)
    upwards = _Axis([one.cost.expected for one in points], _HEIGHT - _BOTTOM, _TOP)
    parts = [*_grid(across, upwards), *_points(points, across, upwards)]
    return (
        f'<svg width="100%" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="time against money">{"".join(parts)}</svg>'
    )


class _Axis:
    """A logarithmic scale from values to places."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self.low, self.high = log10(min(values)) - 0.05, log10(max(values)) + 0.05
        self.start, self.end = start, end

    def at(self, value: float) -> float:
        """The place of a value."""
        share = (log10(value) - self.low) / max(1e-9, self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> Iterator[float]:
        """1, 2 and 5 of every decade that is shown."""
        for decade in range(floor(self.low), ceil(self.high) + 1):
            for digit in (1, 2, 5):
                if self.low <= log10(digit * 10.0**decade) <= self.high:
                    yield digit * 10.0**decade


def _grid(across: _Axis, upwards: _Axis) -> Iterator[str]:
    base = _HEIGHT - _BOTTOM
    for hours in across.ticks():
        place = across.at(hours)
        yield f'<line x1="{place:.0f}" x2="{place:.0f}" y1="{_TOP}" y2="{base}" stroke="#eee"/>'
        text = duration_text(hours * 3600)
        yield f'<text x="{place:.0f}" y="{base + 18}" text-anchor="middle">{text}</text>'
    for usd in upwards.ticks():
        place = upwards.at(usd)
        end = _WIDTH - 110
        yield f'<line x1="{_LEFT}" x2="{end}" y1="{place:.0f}" y2="{place:.0f}" stroke="#eee"/>'
        yield f'<text x="{_LEFT - 8}" y="{place + 4:.0f}" text-anchor="end">{money(usd)}</text>'
    middle = (_LEFT + _WIDTH - 110) / 2
    low = _HEIGHT - 8
    yield f'<text x="{middle:.0f}" y="{low}" text-anchor="middle">paid time of one run</text>'


def _points(points: Sequence[Rented], across: _Axis, upwards: _Axis) -> Iterator[str]:
    places = [(across.at(one.hours.expected), upwards.at(one.cost.expected)) for one in points]
    names = [one.answer.card.id for one in points]
    labels = placed(names, places, Box(_LEFT, 0, _WIDTH, _HEIGHT - _BOTTOM))
    for one, (x, y), label in zip(points, places, labels, strict=True):
        told = (
            f"{one.answer.card.id}, {origin_text(one)}: "
            f"{duration_text(one.hours.expected * 3600)}, {rent_text(one)}"
        )
        if label is not None and label.away:
            end_x = min(max(x, label.box.left), label.box.right)
            end_y = min(max(y, label.box.top), label.box.bottom)
            yield (
                f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{end_x:.1f}" y2="{end_y:.1f}" '
                f'stroke="gray" stroke-width="0.7"/>'
            )
        yield (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{_COLOUR}" fill-opacity="0.75">'
            f"<title>{escape(told)}</title></circle>"
        )
        if label is not None:
            left, base = label.start
            yield (
                f'<text class="name" x="{left:.1f}" y="{base:.1f}" style="{LABEL_STYLE}">'
                f"{escape(label.text)}</text>"
            )
