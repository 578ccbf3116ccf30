"""Signals as messages that a loop reads when it is ready, instead of interruptions."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopAsked(BaseException):
    """A request to stop came where it may cut what is being done."""


class SignalInbox:
    """Collects SIGTERM, SIGINT and SIGCHLD of this process; SIGHUP is ignored from now on.

    Requests to stop that came while the process was still starting are collected too, if whoever
    started it had blocked them, see `launcher.runs.starting`.
    """

    def __init__(self) -> None:
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (*STOP_SIGNALS, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        # The terminal may go; a run belongs to nobody's terminal.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    @contextmanager
    def cutting_short(self) -> Iterator[None]:
        """Inside, the first request to stop raises StopAsked; it can be read afterwards too."""
        cut = False

        def ask(*_: object) -> None:
            nonlocal cut
            if not cut:
                cut = True
                raise StopAsked

        for number in STOP_SIGNALS:
            signal.signal(number, ask)
        try:
            yield
        finally:
            cut = True
            for number in STOP_SIGNALS:
                signal.signal(number, lambda *_: None)

    def wait(self, seconds: float) -> list[int]:
        """Signals that came, as soon as one comes, or none after `seconds`."""
        ready, _, _ = select.select([self._reader], [], [], max(0.0, seconds))
        return list(os.read(self._reader, 256)) if ready else []
