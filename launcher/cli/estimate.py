"""`tlplan estimate`: many estimates at once, JSON lines in and out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator

from launcher import stderr
from launcher.arriving import ArrivingLines
from launcher.case_lines import Line
from launcher.case_processes import answer_lines
from launcher.exit_codes import ExitCode

HELP = "many estimates at once, JSON lines in and out"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The cases."""
    parser.add_argument("cases", metavar="CASES.jsonl", help="one case a line; - reads stdin")
    parser.add_argument(
        "--trace",
        action="store_true",
        help="trace a step of the real model classes: seconds a case, exact to a per mille",
    )


def run(arguments: argparse.Namespace) -> int:
    """Answer every line, in order; a line that cannot be answered gets an error object."""
    answer_all = _trace_all if arguments.trace else _estimate_all
    lines = ArrivingLines(arguments.cases, before_reading=sys.stdout.flush)
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    answer_all(numbered, lines.nothing_waits)
    return ExitCode.DONE


def _estimate_all(lines: Iterator[Line], nothing_waits: Callable[[], bool]) -> None:
    for text in answer_lines(lines, nothing_waits):
        sys.stdout.write(text)


def _trace_all(lines: Iterator[Line], _: Callable[[], bool]) -> None:
    from launcher.traced_lines import trace_lines

    trace_lines(lines, _tell)


def _tell(answer: str, warnings: list[str]) -> None:
    for text in warnings:
        stderr.warning(text)
    sys.stdout.write(answer)
    sys.stdout.flush()  # one line takes seconds
