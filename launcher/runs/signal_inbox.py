"""Signals as messages that a loop reads when it is ready, instead of interruptions."""

from __future__ import annotations

import os
import select
import signal

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class SignalInbox:
    """Collects SIGTERM, SIGINT and SIGCHLD of this process; SIGHUP is ignored from now on."""

    def __init__(self) -> None:
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (*STOP_SIGNALS, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        # The terminal may go; a run belongs to nobody's terminal.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def wait(self, seconds: float) -> list[int]:
        """Signals that came, as soon as one comes, or none after `seconds`."""
        ready, _, _ = select.select([self._reader], [], [], max(0.0, seconds))
        return list(os.read(self._reader, 256)) if ready else []
