"""Host memory that is nearly used up, seen before the kernel has to kill somebody for it."""

from __future__ import annotations

from collections.abc import Callable

from hwdb.detect import HostMemory
from planner.units import MIB

_CRITICAL_SHARE = 0.02
_CRITICAL_BYTES = 512 * MIB
"""Less than the smaller of the two is left: the kernel is about to choose a process."""


class PressureWatch:
    """Judges the host's memory; tells once when it becomes critical."""

    def __init__(self, *, tell: Callable[..., None]) -> None:
        """`tell` takes the type and the fields of an event."""
        self._tell = tell
        self._told = False

    def critical(self, host: HostMemory | None) -> bool:
        """True once, at the moment when memory has become critical."""
        if self._told or host is None:
            return False
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
