"""Prices to reckon with: those of hwdb, or of a file that replaces them, and the price of power."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import hwdb
import hwdb.offer as hwdb_offer
from hwdb.rules import problems_with
from hwdb.user import user_file
from launcher.errors import UsageError

COLUMNS = (
    *("provider", "card_id", "gpus", "instance", "on_demand_usd_per_hour", "spot_usd_per_hour"),
    *("region", "as_of", "source", "currency", "usd_per_unit"),
)
_NEEDED = ("provider", "card_id", "on_demand_usd_per_hour", "as_of")

USD_PER_KWH = 0.17
"""Without `--kwh-price`."""


class Prices(NamedTuple):
    """Offers, and where they are from."""

    offers: tuple[hwdb.Offer, ...]
    origin: str
    """hwdb with its month, or the file."""


class KwhPrice(NamedTuple):
    """Dollars of a kilowatt-hour."""

    usd: float
    source: str
    as_of: str | None
    """Year of the price; None for the user's own."""


def kwh_price(asked: float | None) -> KwhPrice:
    """What the user says, else about what homes pay in the USA, which is assumed for yours."""
    if asked is not None:
        return KwhPrice(asked, "--kwh-price", None)
    return KwhPrice(USD_PER_KWH, "assumed: homes in the USA on average, EIA", "2025")


def today() -> date:
    """The day prices are judged by."""
    return datetime.now(UTC).date()


def is_old(offer: hwdb.Offer) -> bool | None:
    """Whether the price is older than 90 days today."""
    return is_old_date(offer.as_of)


def is_old_date(as_of: str | None) -> bool | None:
    """Whether a price of that day, month or year is older than 90 days today; None for no date."""
    return None if as_of is None else hwdb_offer.is_old(as_of, today())


def prices_from(file: str | None) -> Prices:
    """The offers of a CSV file; without one those of hwdb, and the user's own beside them.

    The user's own stand in prices.csv where cards.json stands. Raises UsageError naming file:line.
    """
    if file is not None:
        return Prices(_offers_in(file), file)
    known, own = hwdb.all_offers(), user_file("cards").with_name("prices.csv")
    if not own.is_file():
        return Prices(known, f"hwdb {hwdb.VERSION}")
    return Prices((*known, *_offers_in(str(own))), f"hwdb {hwdb.VERSION} and {own}")


def _offers_in(file: str) -> tuple[hwdb.Offer, ...]:
    try:
        with Path(file).open(encoding="utf-8-sig", newline="") as lines:
            offers = tuple(_offers(file, csv.reader(lines)))
    except OSError as problem:
        raise UsageError(f"{file}: {problem.strerror or problem}", "check --prices") from None
    except UnicodeDecodeError as problem:
        raise UsageError(f"{file}: is not UTF-8 at byte {problem.start}", _shape_hint()) from None
    except csv.Error as problem:
        raise UsageError(f"{file}: is no CSV: {problem}", _shape_hint()) from None
    if not offers:
        raise UsageError(f"{file}:1: no price in it", _shape_hint())
    return offers


def _offers(file: str, rows: Iterator[list[str]]) -> Iterator[hwdb.Offer]:
    head = next(rows, [])
    for name in head:
        if name not in COLUMNS:
            raise UsageError(f'{file}:1: unknown column "{name}"', *_meant(name), _shape_hint())
    for name in _NEEDED:
        if name not in head:
            raise UsageError(f"{file}:1: column {name} is missing", _shape_hint())
    for line, row in enumerate(rows, start=2):
        if any(row):
            yield _offer(f"{file}:{line}", head, row)


def _offer(place: str, head: list[str], row: list[str]) -> hwdb.Offer:
    if len(row) != len(head):
        raise UsageError(f"{place}: {len(row)} values for {len(head)} columns")
    values = dict(zip(head, (value.strip() for value in row), strict=True))
    for name in ("provider", "card_id", "as_of"):
        if not values[name]:
            raise UsageError(f"{place}: {name} is empty")
    rate = _usd_per_unit(place, values)
    card = _card_id(place, values["card_id"])
    gpus = values.get("gpus") or "1"
    if not gpus.isdecimal() or not int(gpus):
        raise UsageError(f'{place}: gpus must be a whole number above 0, not "{gpus}"')
    whole = _price(place, "on_demand_usd_per_hour", values, rate)
    offer = hwdb.Offer(
        provider=values["provider"],
        card_id=card,
        gpus=int(gpus),
        instance=values.get("instance") or card,
        vcpus=None,
        ram_gib=None,
        on_demand_usd_per_hour=whole,
        spot_usd_per_hour=_price(place, "spot_usd_per_hour", values, rate),
        on_demand_usd_per_gpu_hour=None if whole is None else round(whole / int(gpus), 4),
        region=values.get("region") or "unknown",
        as_of=values["as_of"],
        as_of_inferred=False,
        source=values.get("source") or "user",
        notes=None,
    )
    for problem in problems_with(offer._replace(source="user")):
        raise UsageError(f"{place}: {problem}")
    return offer


def _usd_per_unit(place: str, values: Mapping[str, str]) -> float:
    """Dollars for one of the row's currency, by the rate that stands beside it."""
    currency = values.get("currency") or "USD"
    rate = _number(place, "usd_per_unit", values.get("usd_per_unit") or "")
    if currency.upper() == "USD":
        if rate not in (None, 1.0):
            raise UsageError(f"{place}: usd_per_unit of USD is 1, not {rate:g}")
        return 1.0
    if rate is None:
        raise UsageError(
            f'{place}: currency "{currency}" cannot be reckoned with: no rate stands beside it',
            f"no exchange rates are known here; column usd_per_unit says what 1 {currency} is in "
            "USD, or convert the prices",
        )
    if not 0 < rate < 1e6:
        raise UsageError(f"{place}: usd_per_unit must be above 0, not {rate:g}")
    return rate


def _price(place: str, column: str, values: Mapping[str, str], rate: float) -> float | None:
    price = _number(place, column, values.get(column) or "")
    return None if price is None else round(price * rate, 4)


def _card_id(place: str, name: str) -> str:
    try:
        return hwdb.find_card(name).id
    except hwdb.NotFound as unknown:
        hints = [f"did you mean {', '.join(unknown.suggestions)}?"] if unknown.suggestions else []
        raise UsageError(f"{place}: {unknown}", *hints) from None


def _number(place: str, column: str, text: str) -> float | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise UsageError(f'{place}: {column} must be a number, not "{text}"') from None


def _shape_hint() -> str:
    return f"columns are {', '.join(COLUMNS)}; needed are {', '.join(_NEEDED)}"


def _meant(name: str) -> tuple[str, ...]:
    from difflib import get_close_matches

    close = get_close_matches(name, COLUMNS, n=1)
    return (f"did you mean {close[0]}?",) if close else ()
