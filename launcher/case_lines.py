"""A line of `tlplan estimate` becomes an answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import hwdb
from launcher.errors import BadConfig, TlplanError
from planner.case_answer import CaseAnswers
from planner.request import RequestError
from planner.shape import ModelShape

Line = tuple[int, str]
"""A line with its number in the list."""


def answered(number: int, line: str) -> str:
    """The line's answer by formula, as a JSON line."""
    return _as_json(answer_line(number, line, _answers.answer)) + "\n"


_as_json = json.JSONEncoder(check_circular=False).encode


def answer_line(
    number: int, line: str, answer: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    """What `answer` says of the line's case; an error object where it cannot be answered."""
    if not _is_text(line):
        return _failure(None, "NOT_JSON", f"line {number}: not UTF-8")
    try:
        case = json.loads(line)
    except RecursionError:
        return _failure(None, "NOT_JSON", f"line {number}: not JSON: nested too deep")
    except ValueError as problem:
        return _failure(None, "NOT_JSON", f"line {number}: not JSON: {problem}")
    if not isinstance(case, dict):
        return _failure(None, "NOT_AN_OBJECT", f"line {number}: a case must be a JSON object")
    if not _is_json(case.get("id")):
        return _failure(None, "BAD_FIELD", f"line {number}: id must be a JSON value", "id")
    try:
        return answer(case)
    except RequestError as problem:
        return _failure(case, "BAD_FIELD", str(problem), problem.field_name)
    except BadConfig as problem:
        field = f"config.{problem.key}" if problem.key else "config"
        return _failure(case, "BAD_CONFIG", problem.message, field)
    except TlplanError as problem:
        named = case.get("model") is not None
        code, field = ("NOT_FOUND", "model") if named else ("BAD_CONFIG", "config")
        return _failure(case, code, problem.message, field, list(problem.hints))


def _is_json(value: Any) -> bool:
    """Whether it can be written as it was read: Python reads NaN, which no JSON has."""
    if value is None or isinstance(value, str | int):
        return True
    try:
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return False
    return True


def _is_text(line: str) -> bool:
    """Whether the line was UTF-8; bytes that were not are lone surrogates in it."""
    if line.isascii():
        return True
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True


def _failure(
    case: Mapping[str, Any] | None,
    code: str,
    message: str,
    field: str | None = None,
    hints: list[str] | None = None,
) -> dict[str, Any]:
    error = {"code": code, "message": message, "field": field, "hints": hints or []}
    return {"id": case.get("id") if case else None, "error": error}


def shape_of_case(case: Mapping[str, Any]) -> ModelShape:
    """The shape of a case's model or config. Raises RequestError unless it has one of them."""
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
def card_of_case(gpu: str) -> hwdb.Card | None:
    """The card of that name; without one the estimate stands, its verdict and time do not."""
    try:
        return hwdb.find_card(gpu)
    except hwdb.NotFound:
        return None


_answers = CaseAnswers(shape_of_case, card_of_case)
