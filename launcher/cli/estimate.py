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

    warnings = _WarningsOnce()

    def tell(number: int, answer: str, texts: list[str]) -> None:
        for text in texts:
            warnings.add(number, text)
        sys.stdout.write(answer)
        sys.stdout.flush()  # one line takes seconds

    trace_lines(lines, tell)
    warnings.count()


class _WarningsOnce:
    """Says each reason for the first line that has it, and in the end how many lines do."""

    def __init__(self) -> None:
        self._lines: dict[str, int] = {}

    def add(self, number: int, text: str) -> None:
        if text not in self._lines:
            stderr.warning(f"line {number}: {text}")
        self._lines[text] = self._lines.get(text, 0) + 1

    def count(self) -> None:
        for text, times in self._lines.items():
            if times > 1:
                stderr.warning(f"{times} lines: {text}")
