"""Many lines of cases in several processes; the answers keep the order of the lines."""

from __future__ import annotations

import gc
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from launcher.case_lines import Line, answered

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

_ALONE = 100
"""Lines that are answered before others are asked for help."""
_WINDOW = 500
"""Lines that are shared out at once."""
_WORTH_STARTING = 300
"""Lines that must wait before other processes are started: that takes as long as many lines."""
_WINDOWS_WAITING = 4
_MOST_PROCESSES = 8
_OBJECTS_BETWEEN_COLLECTIONS = 1_000_000


def _never() -> bool:
    return False


def answer_lines(
    lines: Iterable[Line], nothing_waits: Callable[[], bool] = _never
) -> Iterator[str]:
    """The answers in the order of the lines, by formula, as JSON lines.

    Where `nothing_waits` says that the next line is still to be written by someone, those that
    came are answered first.
    """
    # What is kept between lines is never garbage: to look it through again costs a fifth.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    with ExitStack() as stack:
        helpers: _Helpers | None = None
        for window in _windows(lines, nothing_waits):
            if helpers is None and len(window) >= _WORTH_STARTING and _processes() > 1:
                helpers = stack.enter_context(_Helpers(_processes()))
            if helpers is None:
                for number, line in window:
                    yield answered(number, line)
                continue
            helpers.ask(window)
            while helpers.waiting > (0 if nothing_waits() else _WINDOWS_WAITING):
                yield from helpers.next_answers()
        while helpers is not None and helpers.waiting:
            yield from helpers.next_answers()


def _windows(lines: Iterable[Line], nothing_waits: Callable[[], bool]) -> Iterator[list[Line]]:
    window: list[Line] = []
    most = _ALONE
    for line in lines:
        window.append(line)
        if len(window) >= most or nothing_waits():
            yield window
            window, most = [], _WINDOW
    if window:
        yield window


def _processes() -> int:
    if not hasattr(os, "fork") or not hasattr(os, "sched_getaffinity"):
        return 1
    return min(_MOST_PROCESSES, len(os.sched_getaffinity(0)))


class _Helpers:
    """Processes that are each asked for their own kinds of cases.

    What the next case of a kind shares with the last is then known there, and nowhere twice.
    """

    def __init__(self, processes: int) -> None:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        # fork: what was read and written for the lines so far comes with it.
        context = multiprocessing.get_context("fork")
        self._pools: list[ProcessPoolExecutor] = [
            ProcessPoolExecutor(1, mp_context=context, initializer=_leave_ctrl_c)
            for _ in range(processes)
        ]
        self._asked: deque[tuple[list[Line], list[list[Line]], list[Future[list[str]]]]] = deque()
        self._place_of_kind: dict[tuple[str, ...], int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in self._pools:
            pool.shutdown(wait=True, cancel_futures=True)

    @property
    def waiting(self) -> int:
        """Windows whose answers were not taken yet."""
        return len(self._asked)

    def ask(self, window: list[Line]) -> None:
        """Have a window of lines answered."""
        shares = self._shares(window)
        futures = [
            pool.submit(_answered_all, share)
            for pool, share in zip(self._pools, shares, strict=True)
        ]
        self._asked.append((window, shares, futures))

    def next_answers(self) -> Iterator[str]:
        """Those to the window that waits longest."""
        window, shares, futures = self._asked.popleft()
        answers: dict[int, str] = {}
        for share, future in zip(shares, futures, strict=True):
            numbers = (number for number, _ in share)
            answers.update(zip(numbers, future.result(), strict=True))
        return (answers[number] for number, _ in window)

    def _shares(self, window: list[Line]) -> list[list[Line]]:
        shares: list[list[Line]] = [[] for _ in self._pools]
        most = -(-len(window) // len(shares))
        for line in window:
            kind = tuple(_SAYS_KIND.findall(line[1]))
            place = self._place_of_kind.get(kind)
            if place is None or len(shares[place]) >= most:
                place = min(range(len(shares)), key=lambda each: len(shares[each]))
                self._place_of_kind.setdefault(kind, place)
            shares[place].append(line)
        return shares


_SAYS_KIND = re.compile(r'"(?:method|weights|autocast|attention|liger|triton)"[^,]*')
"""What decides most about the operations of a block; other fields fill in its sizes."""


def _leave_ctrl_c() -> None:
    """The process that was started by a person answers to it."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _answered_all(lines: list[Line]) -> list[str]:
    return [answered(number, line) for number, line in lines]
