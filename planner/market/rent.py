"""What a run costs on an offer, on demand or spot, and what it costs on a card of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from planner.market.energy import Energy, energy_of
from planner.speed.seconds import Seconds

if TYPE_CHECKING:
    from hwdb.offer import Offer
    from planner.market.job import CardAnswer

INTERRUPTIONS_PER_HOUR = 0.05
"""Of a spot machine; providers publish bands, not rates. Assumed."""
_RESTART_SECONDS = 240.0
"""Getting another spot machine. Assumed."""
_SOLD_TO_PEOPLE = ("desktop", "workstation", "laptop")


Purchase = Literal["yours", "launch", "street"]
"""yours: as you said; launch: the maker's on the day the card came out; street: about what parts
for servers were sold for, of no day that is known."""


class Rented(NamedTuple):
    """A run on an offer. Money is in USD."""

    offer: Offer
    answer: CardAnswer
    spot: bool
    hours: Seconds
    """Paid hours: download, start, training, and on spot what interruptions repeat."""
    cost: Seconds
    """USD, with the interval of the hours."""
    interruptions: float
    """Expected number; 0 on demand."""
    stale: bool | None
    """Whether the price is older than 90 days; None where its date is unreadable."""


class Owned(NamedTuple):
    """A run on a card of one's own. Money is in USD."""

    answer: CardAnswer
    energy: Energy | None
    energy_cost: Seconds | None
    purchase: float | None
    """What the card costs; None where unknown."""
    purchase_kind: Purchase | None
    """Whose price that is; None where unknown."""
    runs_until_paid: float | None
    """Runs after which buying is cheaper than the cheapest offer for the same card or any other;
    None where it never is, or a price is unknown."""

    @property
    def purchase_as_of(self) -> str | None:
        """Month of the purchase price; None where nobody knows, and for the user's own."""
        return self.answer.card.release_date[:7] if self.purchase_kind == "launch" else None


def rented(answer: CardAnswer, offer: Offer, stale: bool | None) -> list[Rented]:
    """The run on this offer, on demand and spot, as far as there are prices and a time.

    `stale` says whether the price is old, None when its date cannot be read.
    """
    if answer.time is None or answer.expectation is None:
        return []
    on_card, download = answer.time.on_card, answer.download_seconds
    found = []
    if offer.on_demand_usd_per_hour is not None:
        hours = _hours(on_card, download)
        cost = hours.scaled(offer.on_demand_usd_per_hour)
        found.append(Rented(offer, answer, False, hours, cost, 0.0, stale))
    if offer.spot_usd_per_hour is not None:
        hours, interruptions = _spot_hours(answer, download)
        cost = hours.scaled(offer.spot_usd_per_hour)
        found.append(Rented(offer, answer, True, hours, cost, interruptions, stale))
    return found


def owned(
    answer: CardAnswer, usd_per_kwh: float, cheapest_rent: float | None, purchase: float | None
) -> Owned:
    """The run at home; `purchase` is what the user paid, in place of the price in hwdb."""
    price, kind = answer.card.msrp_usd if purchase is None else purchase, _kind(answer, purchase)
    energy = None if answer.time is None else energy_of(answer.time.on_card, answer.card.tdp_watts)
    if energy is None:
        return Owned(answer, None, None, price, kind, None)
    cost = Seconds(*(kwh * usd_per_kwh for kwh in energy))
    runs = None
    if price is not None and cheapest_rent is not None and cheapest_rent > cost.expected:
        runs = price / (cheapest_rent - cost.expected)
    return Owned(answer, energy, cost, price, kind, runs)


def _kind(answer: CardAnswer, purchase: float | None) -> Purchase | None:
    if purchase is not None:
        return "yours"
    if answer.card.msrp_usd is None:
        return None
    return "launch" if answer.card.form_factor in _SOLD_TO_PEOPLE else "street"


def _hours(on_card: Seconds, download: float) -> Seconds:
    return Seconds(*((seconds + download) / 3600 for seconds in on_card))


def _spot_hours(answer: CardAnswer, download: float) -> tuple[Seconds, float]:
    """Every interruption repeats half of what lies between two checkpoints, and a start."""
    time, expectation = answer.time, answer.expectation
    assert time is not None
    assert expectation is not None
    plain = _hours(time.on_card, download)
    interruptions = plain.expected * INTERRUPTIONS_PER_HOUR
    between = time.step.expected * expectation.checkpoint_every
    lost = between / 2 + time.starting.expected + download + _RESTART_SECONDS
    repeated = interruptions * lost / 3600
    return Seconds(*(hours + repeated for hours in plain)), interruptions
