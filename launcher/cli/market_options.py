"""Options of compare, choose and cost: the job, prices, and how the answer looks."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from launcher.cli.command_line import positive_number, whole_number
from launcher.cli.planning_options import add_job_options
from launcher.errors import UsageError


def add_market_options(parser: argparse.ArgumentParser) -> None:
    """The job and the prices."""
    add_job_options(parser)
    assumed = parser.add_argument_group("without --data")
    assumed.add_argument(
        "--rows",
        metavar="N",
        type=whole_number("--rows", least=1),
        help="rows to assume, each as long as --seq; 10 000 of 512 tokens without both",
    )
    add_price_options(parser)


def add_price_options(parser: argparse.ArgumentParser) -> None:
    """--prices, --kwh-price, --json, --html."""
    money = parser.add_argument_group("money")
    money.add_argument(
        "--prices", metavar="FILE.csv", help="offers to reckon with instead of those in hwdb"
    )
    money.add_argument(
        "--kwh-price",
        metavar="USD",
        type=positive_number("--kwh-price"),
        help="of a kilowatt-hour; 0.17 without it",
    )
    look = parser.add_argument_group("output")
    look.add_argument("--json", action="store_true", help="one JSON document instead of text")


def add_picture_option(parser: argparse.ArgumentParser) -> None:
    """--html."""
    parser.add_argument("--html", metavar="FILE", help="write the answer as a page with pictures")


def usd(option: str) -> Callable[[str], float]:
    """A type for argparse: an amount above 0, such as 20, $20 or "20 USD"."""
    number = positive_number(option)

    def read(text: str) -> float:
        amount = text.strip().removeprefix("$").strip()
        letters = "".join(sign for sign in amount if sign.isalpha() or sign in "\u20ac\u00a3\u00a5")
        if letters.upper() not in ("", "USD"):
            raise UsageError(
                f'{option} is in USD; "{letters}" is no currency that can be reckoned with',
                "convert it; no exchange rates are known here",
            )
        return number(amount[: len(amount) - len(letters)].strip() if letters else amount)

    return read
