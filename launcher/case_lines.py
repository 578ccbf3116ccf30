"""Lines of `tlplan estimate` become answers; those of a long list in several processes."""

from __future__ import annotations

import gc
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING, Any

import hwdb
from launcher.errors import BadConfig, TlplanError
from planner.case_answer import CaseAnswers
from planner.request import RequestError
from planner.shape import ModelShape

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

Line = tuple[int, str]
"""A line with its number in the list."""

_ALONE = 500
"""Lines that are answered before other processes are started: that takes as long as these."""
_PART = 250
"""Lines a process is given at once."""
_MOST_PROCESSES = 8
_OBJECTS_BETWEEN_COLLECTIONS = 200_000


def answer_lines(lines: Iterable[Line]) -> Iterator[str]:
    """The answers in the order of the lines, by formula, as JSON lines."""
    # What is kept between lines is never garbage: to look it through again costs a fifth.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    remaining = iter(lines)
    for number, line in islice(remaining, _ALONE):
        yield _answered(number, line)
    first = list(islice(remaining, _PART))
    processes = min(_MOST_PROCESSES, len(os.sched_getaffinity(0))) if _can_share(first) else 1
    if processes == 1:
        for number, line in (*first, *remaining):
            yield _answered(number, line)
        return
    yield from _in_processes(first, remaining, processes)


def _can_share(first: list[Line]) -> bool:
    return len(first) == _PART and hasattr(os, "fork") and hasattr(os, "sched_getaffinity")


def _in_processes(first: list[Line], remaining: Iterator[Line], processes: int) -> Iterator[str]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # fork: what was read and written for the lines so far comes with it.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_leave_ctrl_c) as pool:
        try:
            yield from _in_order(pool, first, remaining, most_waiting=2 * processes)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor, first: list[Line], remaining: Iterator[Line], *, most_waiting: int
) -> Iterator[str]:
    """Answers of one part after another, few of them at a time in memory."""
    waiting: deque[Future[str]] = deque()
    part = first
    while part or waiting:
        if part:
            waiting.append(pool.submit(_answered_part, part))
            part = list(islice(remaining, _PART))
        if not part or len(waiting) > most_waiting:
            yield waiting.popleft().result()


def _leave_ctrl_c() -> None:
    """The process that was started by a person answers to it."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _answered_part(part: list[Line]) -> str:
    return "".join(_answered(number, line) for number, line in part)


def _answered(number: int, line: str) -> str:
    return json.dumps(answer_line(number, line, _answers.answer)) + "\n"


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
    case_id = case.get("id")
    if isinstance(case_id, float) and not isfinite(case_id):  # Python reads NaN; no JSON has it
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
