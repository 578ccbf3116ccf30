"""What a cloud asked for a card on some day."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import date

OLD_DAYS = 90
"""A price older than this is marked wherever it is shown."""


class Offer(NamedTuple):
    """One instance type of one provider. Prices move: a seed with a date, not a quote."""

    provider: str
    """Who rents it out."""
    card_id: str
    """`id` of the card."""
    gpus: int
    """Cards in the instance."""
    instance: str
    """The provider's name for it."""
    vcpus: float | None
    """Virtual processors of the instance."""
    ram_gib: float | None
    """Host memory of the instance, in GiB."""
    on_demand_usd_per_hour: float | None
    """The whole instance; None where it cannot be had on demand."""
    spot_usd_per_hour: float | None
    """The whole instance, interruptible; None: unknown."""
    on_demand_usd_per_gpu_hour: float | None
    """The same per card."""
    region: str
    """Where the price holds, in the provider's words."""
    as_of: str
    """Year, year-month or ISO date of the price."""
    as_of_inferred: bool
    """Whether the source carries no date and `as_of` was inferred."""
    source: str
    """Citation keys with the commit of the file, joined by ";"."""
    notes: str | None
    """What else to know, doubts included."""


def is_old(as_of: str, today: date) -> bool | None:
    """Whether a price of that day, month or year is older than 90 days; None for no date."""
    from datetime import date  # about 1 ms, only where prices are shown

    try:
        day = date.fromisoformat(as_of + "-01" * (2 - as_of.count("-")))
    except ValueError:
        return None
    return (today - day).days > OLD_DAYS
