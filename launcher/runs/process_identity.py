"""Which process a number means: a pid alone may have been given to another process since."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_STATE_FIELD = 0
_START_FIELD = 19
"""Positions in /proc/PID/stat counted behind the process name, see proc(5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """A pid with the moment that process started; two processes never share both."""

    pid: int
    started: str

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        return start_of(self.pid) == self.started


def this_process() -> ProcessIdentity:
    """The identity of the caller."""
    pid = os.getpid()
    return ProcessIdentity(pid=pid, started=start_of(pid) or "")


def start_of(pid: int) -> str | None:
    """When the process started, as an opaque word; None when there is no such live process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return _start_without_proc(pid)
    except ProcessLookupError:
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[_STATE_FIELD] in "ZX":
        return None
    return f"{_boot()}:{fields[_START_FIELD]}"


def _boot() -> str:
    """Start times are counted from the boot, so they repeat after the next one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _start_without_proc(pid: int) -> str | None:
    if Path("/proc/self/stat").exists():
        return None
    import psutil  # about 15 ms; only on systems without /proc

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.NoSuchProcess:
        return None
