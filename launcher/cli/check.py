"""`tlplan --model M`: which of full, lora and qlora fits, and what it takes."""

from __future__ import annotations

import argparse
import os
import sys

from launcher import stderr
from launcher.cli.command_line import Parser, one_of
from launcher.exit_codes import ExitCode
from launcher.planning import add_planning_options
from launcher.quick_check import quick_check

HELP = "which of full, lora and qlora fits into a card's memory"


def add_arguments(parser: Parser) -> None:
    """The planning options, and how the answer looks."""
    parser.usage = "tlplan --model NAME [--gpu NAME|GiB] [options]"
    add_planning_options(parser)
    add_output_options(parser)


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """--json, --color and --ascii."""
    look = parser.add_argument_group("output")
    look.add_argument("--json", action="store_true", help="one JSON document instead of text")
    words = ("auto", "always", "never")
    look.add_argument(
        "--color", metavar="|".join(words), default="auto", type=one_of("--color", words)
    )
    look.add_argument("--ascii", action="store_true", help="no sign beyond ASCII")


def run(arguments: argparse.Namespace) -> int:
    """Answer; exit code 3 when nothing fits."""
    check = quick_check(arguments)
    if check.plan.budget is None:
        stderr.note(f"no NVIDIA GPU could be read ({check.hardware.problem}); showing common cards")
    for warning in check.plan.warnings:
        stderr.warning(warning.text)
    if arguments.json:
        from launcher.output.check_json import check_document, json_text

        sys.stdout.write(json_text(check_document(check)))
    else:
        from launcher.output.check_text import check_text
        from launcher.output.style import style_for

        style = style_for(sys.stdout, os.environ, color=arguments.color, ascii_only=arguments.ascii)
        sys.stdout.write(check_text(check, style))
    return ExitCode.DONE if check.plan.fits else ExitCode.NOTHING_FITS
