"""Out of everything a job could run on: the cheapest, the fastest and the best value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from planner.market.rent import Owned, Rented


class Picks(NamedTuple):
    """The three answers; None where nothing is left."""

    cheapest: Rented | None
    fastest: Rented | None
    best_value: Rented | None
    """Least product of cost and hours: twice as fast may cost twice as much."""


def picks(options: Sequence[Rented]) -> Picks:
    """The three out of those that are allowed."""
    if not options:
        return Picks(None, None, None)
    return Picks(
        cheapest=min(options, key=lambda one: (one.cost.expected, one.hours.expected)),
        fastest=min(options, key=lambda one: (one.hours.expected, one.cost.expected)),
        best_value=min(options, key=lambda one: one.cost.expected * one.hours.expected),
    )


def allowed(
    options: Sequence[Rented], *, budget: float | None, hours: float | None
) -> list[Rented]:
    """Those whose expected cost and time stay within both limits."""
    return [
        one
        for one in options
        if (budget is None or one.cost.expected <= budget)
        and (hours is None or one.hours.expected <= hours)
    ]


def best_per_card(options: Sequence[Rented]) -> list[Rented]:
    """The cheapest way to rent each card, cheapest first."""
    best: dict[str, Rented] = {}
    for one in sorted(options, key=lambda one: one.cost.expected):
        best.setdefault(one.answer.card.id, one)
    return list(best.values())


def affordable(cards: Sequence[Owned], *, budget: float | None, hours: float | None) -> list[Owned]:
    """Cards with a known price and time within both limits, cheapest first."""
    found = [
        one
        for one in cards
        if one.purchase is not None
        and one.answer.time is not None
        and (budget is None or one.purchase <= budget)
        and (hours is None or one.answer.time.on_card.expected <= hours * 3600)
    ]
    return sorted(found, key=lambda one: (one.purchase or 0.0, one.answer.card.id))
