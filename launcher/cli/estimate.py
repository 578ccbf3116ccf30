"""`tlplan estimate`: many estimates at once, JSON lines in and out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import hwdb
from launcher import stderr
from launcher.errors import BadConfig, TlplanError, UsageError
from launcher.exit_codes import ExitCode
from planner.case_answer import CaseAnswers, answer_case
from planner.request import RequestError, TrainingRequest
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
    with _tracer(trace=arguments.trace) as tracer:
        if arguments.cases == "-":
            _answer_all(sys.stdin, tracer)
            return ExitCode.DONE
        try:
            with Path(arguments.cases).open(encoding="utf-8") as file:
                _answer_all(file, tracer)
        except (OSError, UnicodeDecodeError) as problem:
            raise UsageError(f"{arguments.cases}: cannot be read: {problem}") from None
    return ExitCode.DONE


def _tracer(*, trace: bool) -> AbstractContextManager[Tracer | None]:
    if not trace:
        return nullcontext()
    from launcher.tracing.client import Tracer

    return Tracer()


def _answer_all(lines: Iterable[str], tracer: Tracer | None) -> None:
    out: TextIO = sys.stdout
    for number, line in enumerate(lines, start=1):
        if line.strip():
            out.write(json.dumps(_answer_line(line, number, tracer)) + "\n")
            if tracer is not None:
                out.flush()  # one line takes seconds


def _answer_line(line: str, number: int, tracer: Tracer | None) -> dict[str, Any]:
    try:
        case = json.loads(line)
    except ValueError as problem:
        return _failure(None, "NOT_JSON", f"line {number}: not JSON: {problem}")
    if not isinstance(case, dict):
        return _failure(None, "NOT_AN_OBJECT", f"line {number}: a case must be a JSON object")
    try:
        if tracer is None:
            return _ANSWERS.answer(case)
        return _answer_by_trace(case, number, tracer)
    except RequestError as problem:
        return _failure(case, "BAD_FIELD", str(problem), problem.field_name)
    except BadConfig as problem:
        field = f"config.{problem.key}" if problem.key else "config"
        return _failure(case, "BAD_CONFIG", problem.message, field)
    except TlplanError as problem:
        code, field = ("NOT_FOUND", "model") if case.get("model") else ("BAD_CONFIG", "config")
        return _failure(case, code, problem.message, field, list(problem.hints))


def _answer_by_trace(case: Mapping[str, Any], number: int, tracer: Tracer) -> dict[str, Any]:
    """The traced answer; where there is no trace, the formula's with a warning that says so."""
    from launcher.tracing.estimating import traced_estimate

    warnings: list[str] = []

    def find_shape(case: Mapping[str, Any]) -> ModelShape | None:
        try:
            return _shape(case)
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

    answer = answer_case(case, find_shape, _card, measure)
    for text in warnings:
        stderr.warning(f"line {number}: estimated by formula: {text}")
    return {**answer, "warnings": [f"estimated by formula: {text}" for text in warnings]}


def _config_of_model(case: Mapping[str, Any]) -> Mapping[str, Any] | None:
    from launcher.models import resolve_model

    name = case.get("model")
    return None if name is None else resolve_model(str(name)).config


def _failure(
    case: Mapping[str, Any] | None,
    code: str,
    message: str,
    field: str | None = None,
    hints: list[str] | None = None,
) -> dict[str, Any]:
    error = {"code": code, "message": message, "field": field, "hints": hints or []}
    return {"id": case.get("id") if case else None, "error": error}


def _shape(case: Mapping[str, Any]) -> ModelShape:
    config, model = case.get("config"), case.get("model")
    if (config is None) == (model is None):
        raise RequestError("model", "a case needs either model or config")
    if config is not None:
        if not isinstance(config, dict):
            raise RequestError("config", "config must be the object of a config.json")
        return _shape_of_config(json.dumps(config, sort_keys=True))
    return _shape_of_model(str(model))


@lru_cache(maxsize=1024)
def _shape_of_config(text: str) -> ModelShape:
    from launcher.models import shape_of_config

    return shape_of_config(text, "config")


@lru_cache(maxsize=1024)
def _shape_of_model(name: str) -> ModelShape:
    from launcher.models import resolve_model

    return resolve_model(name).shape


@lru_cache(maxsize=256)
def _card(gpu: str) -> hwdb.Card | None:
    try:
        return hwdb.find_card(gpu)
    except hwdb.NotFound:
        return None  # the estimate stands; only the verdict and the time need the card


_ANSWERS = CaseAnswers(_shape, _card)
