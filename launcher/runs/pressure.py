"""Host memory that is nearly used up, seen before the kernel has to kill somebody for it."""

from __future__ import annotations

from collections.abc import Callable

from hwdb.detect import read_host
from planner.units import MIB

LOOK_SECONDS = 2.0
_CRITICAL_SHARE = 0.02
_CRITICAL_BYTES = 512 * MIB
"""Less than the smaller of the two is left: the kernel is about to choose a process."""


class PressureWatch:
    """Looks at the host's memory now and then; tells once when it becomes critical."""

    def __init__(self, *, tell: Callable[..., None], now: float) -> None:
        """`tell` takes the type and the fields of an event."""
        self._tell = tell
        self._next_look = now + LOOK_SECONDS
        self._told = False

    def critical(self, now: float) -> bool:
        """True once, at the moment when memory has become critical."""
        if self._told or now < self._next_look:
            return False
        self._next_look = now + LOOK_SECONDS
        host = read_host()
        if host.available_bytes >= min(_CRITICAL_BYTES, _CRITICAL_SHARE * host.total_bytes):
            return False
        self._told = True
        self._tell(
            "warning",
            code="HOST_MEMORY_LOW",
            message=f"only {host.available_bytes // MIB} MiB of host memory are left; a checkpoint "
            "is saved after this step, as the kernel may end this run",
        )
        return True
