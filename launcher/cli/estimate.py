"""`tlplan estimate`: many estimates at once, JSON lines in and out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from launcher import stderr
from launcher.arriving import ArrivingLines
from launcher.case_lines import Line, answer_line, card_of_case, shape_of_case
from launcher.case_processes import answer_lines
from launcher.errors import TlplanError, UsageError
from launcher.exit_codes import ExitCode
from planner.case_answer import answer_case
from planner.request import TrainingRequest
from planner.shape import ModelShape

if TYPE_CHECKING:
    from launcher.tracing.client import Tracer
    from planner.memory.estimate import MemoryEstimate

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
    from launcher.tracing.client import Tracer

    with Tracer() as tracer:
        for number, line in lines:

            def answer(case: Mapping[str, Any], number: int = number) -> dict[str, Any]:
                return _answer_by_trace(case, number, tracer)

            sys.stdout.write(json.dumps(answer_line(number, line, answer)) + "\n")
            sys.stdout.flush()  # one line takes seconds


def _answer_by_trace(case: Mapping[str, Any], number: int, tracer: Tracer) -> dict[str, Any]:
    """The traced answer; where there is no trace, the formula's with a warning that says so."""
    from launcher.tracing.estimating import traced_estimate

    warnings: list[str] = []

    def find_shape(case: Mapping[str, Any]) -> ModelShape | None:
        try:
            return shape_of_case(case)
        except TlplanError as problem:
            if not warnings:
                return None  # the trace has answered
            raise UsageError(f"{problem.message}; {warnings[0]}", *problem.hints) from None

    def measure(request: TrainingRequest) -> MemoryEstimate | None:
        config = case.get("config") or _config_of_model(case)
        try:
            return traced_estimate(tracer, config, request, gpu=case.get("gpu"))
        except TlplanError as problem:
            warnings.append(problem.message)
            return None

    answer = answer_case(case, find_shape, card_of_case, measure)
    for text in warnings:
        stderr.warning(f"line {number}: estimated by formula: {text}")
    told = [f"estimated by formula: {text}" for text in warnings]
    return {**answer, "warnings": [*told, *answer.get("warnings", ())]}


def _config_of_model(case: Mapping[str, Any]) -> Mapping[str, Any] | None:
    from launcher.models import resolve_model

    name = case.get("model")
    return None if name is None else resolve_model(str(name)).config
