"""`tlplan compare`: one job on several cards, side by side."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

import hwdb
from launcher import stderr
from launcher.cli.command_line import Parser
from launcher.cli.market_options import add_market_options, add_picture_option
from launcher.exit_codes import ExitCode
from launcher.html_file import write_page
from launcher.jobs import job_from, job_text
from launcher.output.check_json import json_text
from launcher.output.lines import filled
from launcher.output.market_json import (
    card_document,
    kwh_document,
    owned_document,
    rented_document,
)
from launcher.output.market_text import compare_table, kwh_text, memory_known_text, stale_note
from launcher.prices import KwhPrice, is_old, kwh_price, prices_from
from planner.market.job import Job, job_on
from planner.market.pick import best_per_card
from planner.market.rent import Owned, Rented, owned, rented

HELP = "one job on several cards, side by side"

_LADDER = "Comfortably: 16 bit, with room; trade-offs: quantized, tight or almost full."


def add_arguments(parser: Parser) -> None:
    """The cards, the job and the prices."""
    parser.usage = "tlplan compare CARD CARD ... --model NAME [--data FILE] [options]"
    parser.add_argument("cards", metavar="CARD", nargs="+", help="cards of hwdb")
    add_market_options(parser)
    add_picture_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare; exit code 3 when the job runs on none of them."""
    cards = [hwdb.find_card(name) for name in dict.fromkeys(arguments.cards)]
    job = job_from(arguments)
    prices = prices_from(arguments.prices)
    answers = [job_on(job, card) for card in cards]
    offers = [
        one
        for offer in prices.offers
        for answer in answers
        if offer.gpus == 1 and offer.card_id == answer.card.id
        for one in rented(answer, offer, is_old(offer))
    ]
    rents = {one.answer.card.id: one for one in best_per_card(offers)}
    per_kwh = kwh_price(arguments.kwh_price)
    cheapest = min((one.cost.expected for one in rents.values()), default=None)
    homes = [owned(answer, per_kwh.usd, cheapest, None) for answer in answers]
    if arguments.html is not None:
        from launcher.output.market_html import market_page

        note = f"Prices of {prices.origin}, each with its own date. {_LADDER}"
        write_page(arguments.html, market_page(job_text(job), answers, list(rents.values()), note))
    if arguments.json:
        sys.stdout.write(json_text(_document(job, per_kwh, rents, homes)))
    else:
        stale = stale_note(list(rents.values()))
        if stale:
            stderr.note(stale)
        sys.stdout.write(_text(job, per_kwh, rents, homes))
    runs = any(answer.rung in ("comfortable", "trade-offs", None) for answer in answers)
    return ExitCode.DONE if runs else ExitCode.NOTHING_FITS


def _text(job: Job, per_kwh: KwhPrice, rents: Mapping[str, Rented], homes: Sequence[Owned]) -> str:
    answers = [one.answer for one in homes]
    notes = (
        _LADDER,
        f"GiB: needed of usable; {memory_known_text(answers)}. Known: how well the time is.",
        "Rent: the cheapest offer for one run, its download included; !: old price.",
        kwh_text(per_kwh),
    )
    lines = [f"{line}\n" for note in notes for line in filled(note, 80)]
    return f"{job_text(job)}\n\n{compare_table(answers, rents, homes)}\n{''.join(lines)}"


def _document(
    job: Job, per_kwh: KwhPrice, rents: Mapping[str, Rented], homes: Sequence[Owned]
) -> dict[str, object]:
    return {
        "schema_version": 1,
        "hwdb_version": hwdb.VERSION,
        "model": job.model.id,
        "rows": job.data.rows,
        "mean_tokens": job.data.mean_tokens,
        "data_assumed": not job.data.path,
        "kwh_price": kwh_document(per_kwh),
        "cards": [
            {
                **card_document(one.answer),
                "cheapest_rent": rented_document(rents.get(one.answer.card.id)),
                "owned": owned_document(one),
            }
            for one in homes
        ],
    }
