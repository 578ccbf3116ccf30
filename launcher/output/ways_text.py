"""The ways to go beside a fine-tune as planned, each with memory, time and cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from launcher.output.lines import filled
from launcher.output.market_json import rented_document
from launcher.output.market_text import origin_text, rent_text
from launcher.output.numbers import gib
from planner.advice.should_you import Advice, Option
from planner.units import duration_text

UNKNOWN = "unknown"
_COLUMNS = 78


def ways_lines(advice: Advice) -> Iterator[str]:
    """A table of the ways, lightest first, the advised one marked, and the reason for it."""
    yield f"  {'Way':<12}{'Needs GiB':>10}  {'Time':<10}Rented"
    for option in advice.options:
        mark = "*" if option.advised else " "
        needed, time, cost = _figures(option)
        yield f"{mark} {option.approach:<12}{needed:>10}  {time:<10}{cost}"
    yield from _origins(advice)
    yield from filled(f"* {advice.reason}.", _COLUMNS)


def ways_document(advice: Advice) -> dict[str, Any]:
    """The same for programs, schema 1."""
    return {
        "advised": advice.advised,
        "reason": advice.reason,
        "options": [
            {
                "approach": option.approach,
                "advised": option.advised,
                "why": option.why,
                "fits": option.offer.fits,
                "needed_bytes": option.offer.needed_bytes,
                "seconds": option.offer.seconds,
                "usd": option.offer.usd,
                "rent": rented_document(option.offer.rent),
            }
            for option in advice.options
        ],
        "items": [item._asdict() for item in advice.items],
    }


def _figures(option: Option) -> tuple[str, str, str]:
    """(memory, time, cost) in words."""
    offer = option.offer
    if option.approach == "in-context":
        return "-", "none", "-"
    needed = UNKNOWN if offer.needed_bytes is None else gib(offer.needed_bytes)
    if offer.fits == "no":
        return needed, "no fit", "-"
    time = UNKNOWN if offer.seconds is None else duration_text(offer.seconds)
    return needed, time, UNKNOWN if offer.rent is None else rent_text(offer.rent)


def _origins(advice: Advice) -> Iterator[str]:
    """Where the rents are from and of when, each offer once."""
    rents = [option.offer.rent for option in advice.options if option.offer.rent is not None]
    offers = dict.fromkeys(origin_text(one) for one in rents)
    if offers:
        yield from filled(f"Rented: {' or '.join(offers)}; the download is in it.", _COLUMNS)
