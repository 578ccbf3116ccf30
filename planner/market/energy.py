"""Kilowatt-hours of a run: what the card draws while it trains, which is assumed, not measured."""

from __future__ import annotations

from typing import NamedTuple

from planner.speed.seconds import Seconds

SHARE_OF_LIMIT = (0.85, 0.5, 1.0)
"""Expected, least and most share of the power limit under training. Published: a node of eight
H100 peaks at 8.4 of 10.2 kW (arXiv 2412.08602), heavy training averages 76 % of the rating (arXiv
2506.14551). Read NVML during a run for the truth."""


class Energy(NamedTuple):
    """Kilowatt-hours of the card alone; the rest of the machine comes on top and is unknown."""

    expected_kwh: float
    low_kwh: float
    high_kwh: float


def energy_of(time: Seconds, watts: int | None) -> Energy | None:
    """Energy of a run that takes this long on a card with this power limit."""
    if watts is None:
        return None
    expected, low, high = SHARE_OF_LIMIT
    per_second = watts / 3.6e6
    return Energy(
        time.expected * expected * per_second,
        time.low * low * per_second,
        time.high * high * per_second,
    )
