"""What the run of a method costs: energy at home, and the same card rented.

The numbers of `tlplan cost`: the planner's time, hwdb's prices or the user's own.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from launcher.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    import hwdb
    from planner.expected import Expectation
    from planner.market.energy import Energy
    from planner.market.rent import Owned, Rented
    from planner.plan import MethodAnswer, Plan


class Price(NamedTuple):
    """Both ways to pay for a run; None is unknown, never free."""

    owned: Owned | None
    rented: Rented | None
    """The cheapest offer of the very card the plan is for."""
    problem: str | None = None
    """Why the user's own prices cannot be read."""

    @property
    def home_usd(self) -> float | None:
        """Dollars of energy."""
        cost = None if self.owned is None else self.owned.energy_cost
        return None if cost is None else cost.expected

    @property
    def rented_usd(self) -> float | None:
        """Dollars of the rent, download included."""
        return None if self.rented is None else self.rented.cost.expected


UNKNOWN = Price(None, None)


def price_of(plan: Plan, answer: MethodAnswer, expectation: Expectation) -> Price:
    """The price of a planned run on the card it is planned for."""
    budget = plan.budget
    if budget is None or budget.card_id is None or expectation.time is None:
        return UNKNOWN
    import hwdb
    from hwdb.user import user_file
    from launcher.prices import USD_PER_KWH, is_old
    from launcher.wizard.data.reading import file_stamp
    from planner.market.job import CardAnswer
    from planner.market.rent import owned, rented

    on_card = CardAnswer(hwdb.find_card(budget.card_id), plan, answer, None, expectation)
    own = user_file("cards").with_name("prices.csv")
    offers, problem = _offers_of(budget.card_id, own, file_stamp(own))
    options = [one for offer in offers for one in rented(on_card, offer, is_old(offer))]
    cheapest = min(options, key=lambda one: one.cost.expected, default=None)
    rent_usd = None if cheapest is None else cheapest.cost.expected
    return Price(owned(on_card, USD_PER_KWH, rent_usd, None), cheapest, problem)


@lru_cache(maxsize=8)
def _offers_of(
    card_id: str, _own: Path, _stamp: tuple[int, int]
) -> tuple[tuple[hwdb.Offer, ...], str | None]:
    """Offers of one such card, read once while the user's file stays: a key must not wait."""
    from launcher.prices import prices_from

    try:
        offers = prices_from(None).offers
    except UsageError as problem:
        return (), problem.message
    return tuple(one for one in offers if one.gpus == 1 and one.card_id == card_id), None


def short_usd(usd: float | None) -> str:
    """For a column: "$0.12", "<$0.01", "unknown"."""
    if usd is None:
        return "unknown"
    if usd < 0.005:
        return "<$0.01"
    from launcher.output.market_text import money

    return money(usd)


def home_text(price: Price) -> str:
    """Such as "$0.01 for 0.06 kWh at 0.17 USD per kWh"."""
    from launcher.prices import USD_PER_KWH

    if price.owned is None or price.owned.energy is None:
        return "unknown"
    kwh = kwh_text(price.owned.energy)
    return f"{short_usd(price.home_usd)} for {kwh} at {USD_PER_KWH:g} USD per kWh"


def kwh_text(energy: Energy) -> str:
    """Such as "0.06 kWh"."""
    return "<0.01 kWh" if energy.expected_kwh < 0.005 else f"{energy.expected_kwh:.2f} kWh"


def rented_text(price: Price) -> str:
    """Such as "$0.12 at vast spot, 0.29 USD/h, price of 2026-08, download included"."""
    from launcher.output.market_text import hourly

    if price.problem is not None:
        return f"unknown: {price.problem}"
    one = price.rented
    if one is None:
        return "unknown: no offer of this card"
    spot = " spot" if one.spot else ""
    old = ", old" if one.stale else ""
    return (
        f"{short_usd(price.rented_usd)} at {one.offer.provider}{spot}, "
        f"{hourly(one):.2f} USD/h (price of {one.offer.as_of}{old})"
    )
