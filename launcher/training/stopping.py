"""How a run stops on request: at once where nothing is lost, after the step while training."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from launcher.exit_codes import ExitCode


class StopNow(BaseException):
    """The run was asked to stop; no `except Exception` of a library may swallow it."""


class StopRequest:
    """Whether SIGTERM came, and whether a training loop will see to it by itself."""

    def __init__(self) -> None:
        self.requested = False
        self.save_soon = False
        """SIGUSR1 came: save a checkpoint after this step, and go on."""
        self._loop_will_notice = False
        self._leave_threads = False

    def listen(self) -> None:
        """Take SIGTERM as the request; leave SIGINT to the supervisor, which decides."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, self._on_save_signal)

    def ignore(self) -> None:
        """Take no further request."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def check(self) -> None:
        """Raise StopNow when a stop was asked for."""
        if self.requested:
            raise StopNow

    @contextmanager
    def noticed_by_loop(self) -> Iterator[None]:
        """Inside, a request only sets `requested`: the loop finishes its step and saves."""
        self.check()
        self._loop_will_notice = True
        try:
            yield
        finally:
            self._loop_will_notice = False

    @contextmanager
    def leaving_threads(self) -> Iterator[None]:
        """Inside, a request ends the process, whatever its threads are in the middle of.

        For downloads: an exception would wait for every file that is being fetched.
        """
        self.check()
        self._leave_threads = True
        try:
            yield
        finally:
            self._leave_threads = False

    def _on_save_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.save_soon = True

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True
        if self._leave_threads:
            os._exit(ExitCode.INTERRUPTED)
        if not self._loop_will_notice:
            raise StopNow
