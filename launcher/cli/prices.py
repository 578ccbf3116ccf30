"""`tlplan prices`: the prices in use, with their dates and sources, checked."""

from __future__ import annotations

import argparse
import sys

import hwdb
from launcher import stderr
from launcher.cli.command_line import Parser
from launcher.exit_codes import ExitCode
from launcher.output.check_json import json_text
from launcher.output.columns import aligned, has_words
from launcher.output.lines import filled
from launcher.output.market_json import kwh_document
from launcher.output.market_text import kwh_text
from launcher.prices import Prices, is_old, kwh_price, prices_from

HELP = "the prices in use, with dates and sources"


def add_arguments(parser: Parser) -> None:
    """What to look for, and a file that replaces hwdb's prices."""
    parser.add_argument("words", metavar="WORDS", nargs="*", help="only offers with these words")
    parser.add_argument("--prices", metavar="FILE.csv", help="check this file instead of hwdb's")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")


def run(arguments: argparse.Namespace) -> int:
    """List and check them; a file with a problem ends in 2 and names the line."""
    prices = prices_from(arguments.prices)
    shown = [offer for offer in prices.offers if has_words(_searched(offer), arguments.words)]
    old = sum(is_old(offer) is True for offer in shown)
    if arguments.json:
        sys.stdout.write(json_text(_document(prices, shown)))
        return ExitCode.DONE
    if not shown:
        stderr.note(f"no price has the words: {' '.join(arguments.words)}")
        return ExitCode.DONE
    sys.stdout.write(_table(shown))
    offers = "1 offer" if len(shown) == 1 else f"{len(shown)} offers"
    sys.stdout.write(f"\n{offers} of {prices.origin}, USD an hour of the instance.\n")
    sys.stdout.write(_sources(shown))
    sys.stdout.write("".join(f"{line}\n" for line in filled(kwh_text(kwh_price(None)), 80)))
    if old:
        stderr.note(f"{old} of {len(shown)} prices are older than 90 days and marked with !")
    return ExitCode.DONE


def _searched(offer: hwdb.Offer) -> str:
    return f"{offer.provider} {offer.card_id} {offer.instance} {offer.region}"


def _table(offers: list[hwdb.Offer]) -> str:
    rows = [("Provider", "Card", "GPUs", "USD/h", "Spot", "Price of")]
    rows += [
        (
            offer.provider,
            offer.card_id,
            str(offer.gpus),
            _price(offer.on_demand_usd_per_hour),
            _price(offer.spot_usd_per_hour),
            _dated(offer),
        )
        for offer in sorted(offers, key=_order)
    ]
    return aligned(rows, right=(2, 3, 4))


_FEW = 5
"""So many sources are named; --json names that of each price."""


def _sources(offers: list[hwdb.Offer]) -> str:
    sources = sorted({offer.source for offer in offers if offer.source})
    if not sources:
        return ""
    if len(sources) > _FEW:
        return f"From {len(sources)} sources; --json names that of each price.\n"
    return "".join(f"{line}\n" for line in filled(f"From {', '.join(sources)}.", 80))


def _dated(offer: hwdb.Offer) -> str:
    """~ before a date that was inferred, ! behind one that is more than 90 days ago."""
    old = "!" if is_old(offer) else ""
    return f"{'~' if offer.as_of_inferred else ''}{offer.as_of}{old}"


def _order(offer: hwdb.Offer) -> tuple[str, int, float]:
    return offer.card_id, offer.gpus, offer.on_demand_usd_per_hour or 0.0


def _price(usd: float | None) -> str:
    return "-" if usd is None else f"{usd:.2f}"


def _document(prices: Prices, shown: list[hwdb.Offer]) -> dict[str, object]:
    return {
        "schema_version": 1,
        "prices_from": prices.origin,
        "kwh_price": kwh_document(kwh_price(None)),
        "offers": [offer._asdict() | {"older_than_90_days": is_old(offer)} for offer in shown],
    }
