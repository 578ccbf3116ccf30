"""`tlplan gpus`: the GPUs of this machine, and the cards hwdb knows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import hwdb
from launcher import stderr
from launcher.cli.command_line import Parser
from launcher.exit_codes import ExitCode
from launcher.hardware import Hardware, hardware_for
from launcher.output.check_json import gpu_document, json_text
from launcher.output.columns import aligned, has_words
from launcher.output.numbers import gib

HELP = "the GPUs of this machine, and the cards hwdb knows"

_UNKNOWN = "-"


def add_arguments(parser: Parser) -> None:
    """What to look for."""
    parser.add_argument("words", metavar="WORDS", nargs="*", help="only cards with these words")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")


def run(arguments: argparse.Namespace) -> int:
    """List them; this machine's own only without words."""
    cards = [card for card in hwdb.all_cards() if has_words(_searched(card), arguments.words)]
    here = None if arguments.words else hardware_for((), host_without_gpu=False)
    if arguments.json:
        sys.stdout.write(json_text(_document(cards, here)))
        return ExitCode.DONE
    if here is not None:
        sys.stdout.write(_here_text(here))
    if cards:
        sys.stdout.write(_table(cards))
    else:
        stderr.note(f"no card of hwdb has the words: {' '.join(arguments.words)}")
    return ExitCode.DONE


def _searched(card: hwdb.Card) -> str:
    names = " ".join(card.nvml_names)
    return f"{card.id} {card.name} {names} {card.vendor} {card.architecture} {card.form_factor}"


def _document(cards: Sequence[hwdb.Card], here: Hardware | None) -> dict[str, object]:
    return {
        "schema_version": 1,
        "hwdb_version": hwdb.VERSION,
        "here": None if here is None else [gpu_document(gpu) for gpu in here.gpus],
        "problem": None if here is None else here.problem,
        "cards": [card._asdict() for card in cards],
    }


def _here_text(here: Hardware) -> str:
    if not here.gpus:
        return f"This machine: no NVIDIA GPU could be read ({here.problem})\n\n"
    rows = [("GPU", "Free GiB", "GiB", "Compute", "In hwdb", "Name")]
    rows += [
        (
            str(gpu.index),
            _UNKNOWN if gpu.free_bytes is None else gib(gpu.free_bytes),
            _UNKNOWN if gpu.total_bytes is None else gib(gpu.total_bytes),
            _compute(gpu.compute_capability),
            gpu.card_id or _UNKNOWN,
            gpu.name,
        )
        for gpu in here.gpus
    ]
    return f"This machine, driver {here.driver_version}\n{aligned(rows, right=(1, 2, 3))}\n"


def _table(cards: Sequence[hwdb.Card]) -> str:
    rows = [("Card", "GiB", "GB/s", "Compute", "bf16", "Name")]
    rows += [
        (
            card.id,
            _UNKNOWN if card.memory_bytes is None else gib(card.memory_bytes),
            _UNKNOWN
            if card.bandwidth_bytes_per_second is None
            else f"{card.bandwidth_bytes_per_second / 1e9:.0f}",
            _compute(card.compute_capability),
            "yes" if card.supports_bf16 else "no",
            card.name,
        )
        for card in cards
    ]
    return aligned(rows, right=(1, 2, 3))


def _compute(capability: tuple[int, int] | None) -> str:
    return _UNKNOWN if capability is None else f"{capability[0]}.{capability[1]}"
