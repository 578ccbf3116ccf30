"""Which process a number means: a pid alone may have been given to another process since."""

from __future__ import annotations

import os
import platform
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
    host: str | None = None
    """The machine, or container, it runs in; None where nobody wrote it down: this one."""

    @property
    def here(self) -> bool:
        """Whether it can be looked at and signalled from here."""
        return self.host in (None, host_name())

    def alive(self) -> bool:
        """Whether this very process still runs here (a zombie does not)."""
        return self.here and start_of(self.pid) == self.started


def this_process() -> ProcessIdentity:
    """The identity of the caller."""
    pid = os.getpid()
    return ProcessIdentity(pid=pid, started=start_of(pid) or "", host=host_name())


def host_name() -> str:
    """What this machine, or container, calls itself."""
    return platform.node()


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
