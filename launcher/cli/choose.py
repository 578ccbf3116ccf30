"""`tlplan choose`: which card to rent or to buy for a job."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NamedTuple

import hwdb
from launcher import stderr
from launcher.cli.command_line import Parser, positive_number
from launcher.cli.market_options import add_market_options, add_picture_option, usd
from launcher.exit_codes import ExitCode
from launcher.html_file import write_page
from launcher.jobs import job_from, job_text
from launcher.output.check_json import json_text
from launcher.output.lines import filled
from launcher.output.market_json import (
    kwh_document,
    owned_document,
    picks_document,
    rented_document,
)
from launcher.output.market_text import (
    KNOWN,
    buy_table,
    kwh_text,
    money,
    option_text,
    pick_lines,
    rent_table,
    stale_note,
)
from launcher.prices import KwhPrice, Prices, is_old, kwh_price, prices_from
from planner.market.job import CardAnswer, Job, job_on
from planner.market.pick import affordable, allowed, best_per_card, picks
from planner.market.rent import Owned, Rented, owned, rented
from planner.units import duration_text

HELP = "which card to rent or to buy for a job"

_ROWS = 10


def add_arguments(parser: Parser) -> None:
    """The job, the limits, and whether to rent or to buy."""
    parser.usage = "tlplan choose --model NAME [--data FILE] [--budget USD] [options]"
    add_market_options(parser)
    add_picture_option(parser)
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--budget", metavar="USD", type=usd("--budget"), help="most to pay for a run or for a card"
    )
    limits.add_argument(
        "--hours", metavar="H", type=positive_number("--hours"), help="most a run may take"
    )
    ways = limits.add_mutually_exclusive_group()
    ways.add_argument("--rent", action="store_true", help="only offers of clouds")
    ways.add_argument("--buy", action="store_true", help="only cards to own")


class Market(NamedTuple):
    """Everything a job could run on."""

    answers: tuple[CardAnswer, ...]
    rentable: tuple[Rented, ...]
    ownable: tuple[Owned, ...]


def run(arguments: argparse.Namespace) -> int:
    """Name the cheapest, the fastest and the best value; exit code 3 when nothing is left."""
    job = job_from(arguments)
    prices = prices_from(arguments.prices)
    per_kwh = kwh_price(arguments.kwh_price)
    market = market_of(job, prices, per_kwh.usd)
    chosen = _Choice(arguments, market)
    if arguments.html is not None:
        write_page(arguments.html, _page(job, prices, chosen))
    if arguments.json:
        sys.stdout.write(json_text(_document(job, prices, per_kwh, chosen)))
    else:
        sys.stdout.write(_text(job, prices, per_kwh, chosen))
    return ExitCode.DONE if chosen.any_left else ExitCode.NOTHING_FITS


def market_of(job: Job, prices: Prices, usd_per_kwh: float) -> Market:
    """The job on every card that is offered or has a price, as far as its speed is known."""
    offered = {offer.card_id for offer in prices.offers}
    answers = tuple(
        job_on(job, card)
        for card in hwdb.all_cards()
        if card.memory_bytes is not None
        and card.vendor == "nvidia"
        and (card.id in offered or card.msrp_usd is not None)
        and (card.bf16_tflops or card.fp16_tflops)
    )
    by_card = {answer.card.id: answer for answer in answers if answer.answer is not None}
    rentable = tuple(
        one
        for offer in prices.offers
        if offer.gpus == 1 and offer.card_id in by_card
        for one in rented(by_card[offer.card_id], offer, is_old(offer))
    )
    cheapest = min((one.cost.expected for one in rentable), default=None)
    ownable = tuple(
        owned(answer, usd_per_kwh, cheapest, None)
        for answer in by_card.values()
        if answer.card.form_factor in ("desktop", "workstation", "pcie")
    )
    return Market(answers, rentable, ownable)


class _Choice:
    """What is left of a market within the limits."""

    def __init__(self, arguments: argparse.Namespace, market: Market) -> None:
        self.market = market
        self.renting, self.buying = not arguments.buy, not arguments.rent
        self.budget, self.hours = arguments.budget, arguments.hours
        self.rent = allowed(market.rentable, budget=self.budget, hours=self.hours)
        self.buy = affordable(market.ownable, budget=self.budget, hours=self.hours)
        self.picks = picks(self.rent)

    @property
    def any_left(self) -> bool:
        return bool((self.renting and self.rent) or (self.buying and self.buy))


def _text(job: Job, prices: Prices, per_kwh: KwhPrice, chosen: _Choice) -> str:
    parts = [f"{job_text(job)}\n"]
    if chosen.renting:
        parts.append(_rent_text(prices, chosen))
    if chosen.buying:
        parts.append(_buy_text(per_kwh, chosen))
    parts.append(KNOWN)
    return "\n".join(parts)


def _rent_text(prices: Prices, chosen: _Choice) -> str:
    if not chosen.rent:
        return "".join(f"{line}\n" for line in _nothing_to_rent(chosen))
    shown = best_per_card(chosen.rent)
    stale = stale_note(chosen.rent)
    if stale:
        stderr.note(stale)
    offers = "1 offer" if len(chosen.rent) == 1 else f"{len(chosen.rent)} offers"
    lines = filled(f"Rent ({offers} of {prices.origin}; hours include the download)", 80)
    lines += [f"  {line}" for line in pick_lines(chosen.picks)]
    more = len(shown) - _ROWS
    table = rent_table(shown[:_ROWS])
    rest = f"... and {more} more cards; --json has them all\n" if more > 0 else ""
    return "\n".join(lines) + f"\n\n{table}{rest}"


def _nothing_to_rent(chosen: _Choice) -> list[str]:
    every = chosen.market.rentable
    if not every:
        return ["Rent: no offer is for a card that this runs on and whose speed is known"]
    found = picks(every)
    assert found.cheapest is not None
    assert found.fastest is not None
    lines = ["Rent: nothing within the limits"]
    if chosen.budget is not None:
        lines.append(f"  the cheapest is {option_text(found.cheapest)}")
    if chosen.hours is not None:
        lines.append(f"  the fastest is {option_text(found.fastest)}")
    return lines


def _buy_text(per_kwh: KwhPrice, chosen: _Choice) -> str:
    if not chosen.buy:
        return "".join(f"{line}\n" for line in _nothing_to_buy(chosen))
    table = buy_table(chosen.buy[:_ROWS])
    more = len(chosen.buy) - _ROWS
    rest = f"... and {more} more cards; --json has them all\n" if more > 0 else ""
    power = f"Pays after so many runs, against the cheapest offer. {kwh_text(per_kwh)}"
    told = "".join(f"{line}\n" for line in filled(power, 80))
    title = "Buy (a card alone; launch price, or a street price of no known day)"
    return f"{title}\n\n{table}{rest}{told}"


def _nothing_to_buy(chosen: _Choice) -> list[str]:
    priced = affordable(chosen.market.ownable, budget=None, hours=None)
    if not priced:
        return ["Buy: no card with a known price and speed runs this"]
    fastest = min(priced, key=lambda one: one.answer.time.on_card.expected)  # type: ignore[union-attr]
    assert fastest.answer.time is not None
    hours = duration_text(fastest.answer.time.on_card.expected)
    return [
        "Buy: nothing within the limits",
        f"  the cheapest is {priced[0].answer.card.id}, {money(priced[0].purchase)}",
        f"  the fastest is {fastest.answer.card.id}, {hours}, {money(fastest.purchase)}",
    ]


def _page(job: Job, prices: Prices, chosen: _Choice) -> str:
    from launcher.output.market_html import market_page

    options = best_per_card(chosen.rent)
    rented_ids = [one.answer.card.id for one in options]
    answers = [a for a in chosen.market.answers if a.card.id in rented_ids]
    answers.sort(key=lambda answer: rented_ids.index(answer.card.id))
    note = f"Prices of {prices.origin}, each with its own date; {KNOWN.replace(chr(10), ' ')}"
    return market_page(job_text(job), answers, options, note)


def _document(job: Job, prices: Prices, per_kwh: KwhPrice, chosen: _Choice) -> dict[str, object]:
    rent: Sequence[Rented] = sorted(chosen.rent, key=lambda one: one.cost.expected)
    unknown = [a.card.id for a in chosen.market.answers if a.answer and a.time is None]
    return {
        "schema_version": 1,
        "hwdb_version": hwdb.VERSION,
        "model": job.model.id,
        "rows": job.data.rows,
        "mean_tokens": job.data.mean_tokens,
        "data_assumed": not job.data.path,
        "prices_from": prices.origin,
        "kwh_price": kwh_document(per_kwh),
        "limits": {"budget_usd": chosen.budget, "hours": chosen.hours},
        "picks": picks_document(chosen.picks) if chosen.renting else None,
        "rent": [rented_document(one) for one in rent] if chosen.renting else None,
        "buy": [owned_document(one) for one in chosen.buy] if chosen.buying else None,
        "will_not_run_on": [a.card.id for a in chosen.market.answers if a.rung == "no"],
        "speed_unknown": unknown,
    }
