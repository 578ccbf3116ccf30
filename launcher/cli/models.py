"""`tlplan models`: the models hwdb knows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

import hwdb
from launcher import stderr
from launcher.cli.command_line import Parser, positive_number
from launcher.exit_codes import ExitCode
from launcher.output.check_json import json_text
from launcher.output.columns import aligned, has_words
from launcher.output.numbers import parameters_text

HELP = "the models hwdb knows"

_UNKNOWN = "-"


def add_arguments(parser: Parser) -> None:
    """What to look for."""
    parser.add_argument("words", metavar="WORDS", nargs="*", help="only models with these words")
    parser.add_argument(
        "--memory",
        "--fits",
        metavar="GiB",
        type=_gib("--fits"),
        help="only models that can be fine-tuned on a card with that much memory, and how",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")


def _gib(option: str) -> Callable[[str], float]:
    """A type for argparse: 12, 12GiB or "12 GB"; sizes on boxes say GB and mean GiB."""
    number = positive_number(option)

    def read(text: str) -> float:
        amount = text.strip().lower()
        for unit in ("gib", "gb", "g"):
            if amount.endswith(unit):
                return number(amount.removesuffix(unit).strip())
        return number(amount)

    return read


def run(arguments: argparse.Namespace) -> int:
    """List them."""
    models = [row for row in hwdb.all_models() if has_words(_searched(row), arguments.words)]
    if arguments.memory is not None:
        from launcher.output.models_text import fitting_models, fitting_table

        found = fitting_models(models, arguments.memory)
        if arguments.json:
            sys.stdout.write(json_text({"schema_version": 1, "models": found}))
        else:
            sys.stdout.write(fitting_table(found, arguments.memory))
        return ExitCode.DONE if found else ExitCode.NOTHING_FITS
    if arguments.json:
        document = {
            "schema_version": 1,
            "hwdb_version": hwdb.VERSION,
            "models": [model._asdict() | {"plannable": _plannable(model)} for model in models],
        }
        sys.stdout.write(json_text(document))
    elif models:
        sys.stdout.write(_table(models))
    else:
        stderr.note(f"no model of hwdb has the words: {' '.join(arguments.words)}")
    return ExitCode.DONE


def _searched(model: hwdb.Model) -> str:
    names = " ".join(name for name in (model.hub_id, model.instruct_hub_id) if name)
    aliases = " ".join(model.aliases)
    return f"{model.id} {aliases} {names} {model.task} {model.architecture} {model.license}"


def _plannable(model: hwdb.Model) -> bool:
    """Whether the quick check can answer for it."""
    from launcher.errors import UsageError
    from launcher.models import resolve_model
    from launcher.planning import task_for

    try:
        task_for(resolve_model(model.id))
    except UsageError:
        return False
    return True


_TASK_WORDS = {
    "causal-lm": "LM",
    "seq2seq-lm": "s2s",
    "text-classification": "text",
    "image-classification": "image",
}
"""Short enough that no row of the table is cut at 80 columns."""


def _table(models: Sequence[hwdb.Model]) -> str:
    rows = [("Model", "Params", "Context", "Planned", "Gated", "Released", "Task")]
    rows += [
        (
            model.id,
            parameters_text(model.parameters),
            _context(model.max_context_tokens),
            "yes" if _plannable(model) else "no",
            "yes" if model.gated else "no",
            model.release_date[:7],
            _TASK_WORDS.get(model.task, model.task),
        )
        for model in models
    ]
    return aligned(rows, right=(1, 2))


def _context(tokens: int | None) -> str:
    if tokens is None:
        return _UNKNOWN
    return str(tokens) if tokens < 1024 else f"{tokens // 1024} k"
