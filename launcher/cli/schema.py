"""`tlplan schema`: the JSON Schemas of what tlplan writes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from launcher.cli.command_line import Parser, one_of
from launcher.exit_codes import ExitCode

HELP = "the JSON Schema of the check, a plan, events or estimates"

NAMES = ("check", "plan", "events", "estimate")

_FOLDER = Path(__file__).parents[1] / "schemas"


def add_arguments(parser: Parser) -> None:
    """Which one."""
    parser.add_argument("name", metavar="|".join(NAMES), type=one_of("schema", NAMES))
    parser.add_argument("--json", action="store_true", help="schemas are JSON either way")


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    sys.stdout.write(schema_text(arguments.name))
    return ExitCode.DONE


def schema_text(name: str) -> str:
    """The schema of that name, as its file has it."""
    return (_FOLDER / f"{name}.json").read_text(encoding="utf-8")
