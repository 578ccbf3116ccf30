"""Whether a worker still gets on, or hangs: signs of life, and how long to wait for the next."""

from __future__ import annotations

import os
from pathlib import Path

PATIENCE_SECONDS = 600.0
"""How long a worker may show no sign of life, at least."""
_LONGEST_GAPS = 5
"""A worker that was slow before may be that many times slower."""
_BUSY_SECONDS = 1.0
_BUSY_BYTES = 1 << 20
_COUNTED_PHASES = ("training", "evaluating")
"""Phases in which the worker touches its pulse; elsewhere work shows in its use of the machine."""


class Pulse:
    """Watches one worker.

    A sign of life is an event, a touched pulse file or, where neither can be expected, processor
    time and reading. Times are monotonic, so that a clock that jumps means nothing.
    """

    def __init__(self, file: Path, *, patience_seconds: float, now: float) -> None:
        self._file = file
        self._patience_seconds = patience_seconds
        self._last_sign = now
        self._longest_gap = 0.0
        self._touched = _touched(file)
        self._busy: tuple[float, int] | None = None

    def sign(self, now: float) -> None:
        """A sign of life came."""
        self._longest_gap = max(self._longest_gap, now - self._last_sign)
        self._last_sign = now

    def look(self, pid: int, *, phase: str, now: float) -> float | None:
        """Seconds without a sign of life when they are too many, None while all is well."""
        touched = _touched(self._file)
        if touched != self._touched:
            self._touched = touched
            self.sign(now)
        elif phase not in _COUNTED_PHASES and self._works(pid):
            # No gap: what is long here says nothing about a step.
            self._last_sign = now
        silent = now - self._last_sign
        patience = max(self._patience_seconds, _LONGEST_GAPS * self._longest_gap)
        return silent if silent > patience else None

    def _works(self, pid: int) -> bool:
        busy = _use_of(pid)
        if busy is None:
            return False
        before = self._busy
        if before is None:
            self._busy = busy
            return False
        if busy[0] - before[0] < _BUSY_SECONDS and busy[1] - before[1] < _BUSY_BYTES:
            return False
        self._busy = busy
        return True


def _touched(file: Path) -> int | None:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return None


def _use_of(pid: int) -> tuple[float, int] | None:
    """(processor seconds, bytes read) of a process so far; None where /proc does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
    except (OSError, ValueError, IndexError):
        return None
    return ticks / os.sysconf("SC_CLK_TCK"), _bytes_read(pid)


def _bytes_read(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("rchar:")), 0)
