"""Lines of `tlplan estimate --trace` become answers, two steps traced side by side."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from queue import LifoQueue
from threading import Lock, Semaphore
from typing import TYPE_CHECKING, Any

from launcher.case_lines import Line, answer_line, card_of_case, shape_of_case
from launcher.errors import TlplanError, UsageError
from launcher.models import resolve_model
from launcher.tracing.client import Tracer
from launcher.tracing.estimating import traced_estimate
from planner.case_answer import answer_case
from planner.request import TrainingRequest
from planner.shape import ModelShape

if TYPE_CHECKING:
    from planner.memory.estimate import MemoryEstimate

_MOST_WORKERS = 2
"""Each takes half a GiB of host memory."""

Told = tuple[int, str, list[str]]
"""The number of a line, its answer as JSON, and what is to be said of it beside."""


def trace_lines(lines: Iterable[Line], tell: Callable[[int, str, list[str]], None]) -> None:
    """Answer every line; `tell` is given answers in the order of the lines, each when it is there.

    Raises what reading the lines or telling raises; then nothing more is told.
    """
    tracers = [Tracer() for _ in range(min(_MOST_WORKERS, os.cpu_count() or 1))]
    free: LifoQueue[Tracer] = LifoQueue()  # one that has a worker by now before one without
    for tracer in tracers:
        free.put(tracer)
    room, in_order = Semaphore(2 * len(tracers)), _InOrder(tell)

    def work(place: int, line: Line) -> None:
        tracer = free.get()
        try:
            in_order.add(place, _answered(line, tracer))
        except Exception as problem:  # noqa: BLE001 - raised where the lines are read
            in_order.failed = problem
        finally:
            free.put(tracer)
            room.release()

    pool = ThreadPoolExecutor(len(tracers))
    try:
        for place, line in enumerate(lines):
            room.acquire()
            if in_order.failed is not None:
                break
            pool.submit(work, place, line)
        else:
            pool.shutdown()
        if in_order.failed is not None:
            raise in_order.failed
    finally:
        in_order.over = True
        pool.shutdown(wait=False, cancel_futures=True)
        for tracer in tracers:  # whoever still waits for one hears of it
            tracer.close()
        pool.shutdown()


class _InOrder:
    """Tells answers in their order, though they come in another."""

    def __init__(self, tell: Callable[[int, str, list[str]], None]) -> None:
        self.failed: Exception | None = None
        self.over = False
        self._tell = tell
        self._lock = Lock()
        self._waiting: dict[int, Told] = {}
        self._next = 0

    def add(self, place: int, told: Told) -> None:
        with self._lock:
            self._waiting[place] = told
            while self._next in self._waiting and self.failed is None and not self.over:
                self._tell(*self._waiting.pop(self._next))
                self._next += 1


def _answered(line: Line, tracer: Tracer) -> Told:
    number, text = line
    said: list[str] = []

    def answer(case: Mapping[str, Any]) -> dict[str, Any]:
        return _answer_by_trace(case, tracer, said)

    return number, json.dumps(answer_line(number, text, answer)) + "\n", said


def _answer_by_trace(case: Mapping[str, Any], tracer: Tracer, said: list[str]) -> dict[str, Any]:
    """The traced answer; where there is no trace, the formula's with a warning that says so."""
    failures: list[str] = []

    def find_shape(case: Mapping[str, Any]) -> ModelShape | None:
        try:
            return shape_of_case(case)
        except TlplanError as problem:
            if not failures:
                return None  # the trace has answered
            raise UsageError(f"{problem.message}; {failures[0]}", *problem.hints) from None

    def measure(request: TrainingRequest) -> MemoryEstimate | None:
        config = case.get("config") or _config_of_model(case)
        try:
            return traced_estimate(tracer, config, request, gpu=case.get("gpu"))
        except TlplanError as problem:
            failures.append(problem.message)
            return None

    answer = answer_case(case, find_shape, card_of_case, measure)
    said += [f"estimated by formula: {text}" for text in failures]
    return {**answer, "warnings": [*said, *answer.get("warnings", ())]}


def _config_of_model(case: Mapping[str, Any]) -> Mapping[str, Any] | None:
    name = case.get("model")
    return None if name is None else resolve_model(str(name)).config
