"""The memory of a run, device by device, and the kinds it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from launcher.view.series import Series

_FIELDS = {"cuda": "device_bytes", "cpu": "host_bytes"}


@dataclass(slots=True)
class DeviceMemory:
    """What a run uses of one card, or of the host where it trains on the CPU."""

    newest: dict[str, Any] = field(default_factory=dict)
    """The newest value of every field of its `memory` events."""
    series: Series = field(default_factory=Series)
    now_bytes: int | None = None
    peak_bytes: int | None = None

    @property
    def index(self) -> int | None:
        """The number nvidia-smi gives the card."""
        return whole(self.newest.get("card_index"))

    @property
    def approximate(self) -> bool:
        """Whether the driver named no processes: then it is the card's use less that before."""
        return bool(self.newest.get("approximate"))

    def apply(self, values: Mapping[str, Any], *, device: str, seconds: float) -> None:
        """Take in what a `memory` event says of this device."""
        self.newest.update(values)
        now_bytes = whole(values.get(_FIELDS[device]))
        if now_bytes is None:
            return
        self.now_bytes = now_bytes
        self.series.add(seconds, now_bytes)
        highest = max(
            now_bytes, whole(values.get("host_peak_bytes")) or 0 if device == "cpu" else 0
        )
        self.peak_bytes = max(self.peak_bytes or 0, highest)


class MemoryKinds(NamedTuple):
    """The named kinds of memory on one device, in bytes; unknown is None.

    Allocated, cached and context are those at the run's peak and add up to it.
    """

    run_bytes: int | None
    """Peak of this run."""
    allocated_bytes: int | None
    """Tensors, as torch counts them."""
    cached_bytes: int | None
    """Kept by torch for reuse: reserved less allocated."""
    context_bytes: int | None
    """CUDA's own, with kernels and libraries: measured less reserved."""
    others_bytes: int | None
    """Other programs, now."""
    free_bytes: int | None
    """What this run could have: free now and what it holds."""
    room_bytes: int | None
    """Free for this run less its peak."""

    @property
    def room_fraction(self) -> float | None:
        """Room left as a share of what the run could have."""
        if self.room_bytes is None or not self.free_bytes:
            return None
        return self.room_bytes / self.free_bytes


def memory_kinds(
    memory: DeviceMemory, *, device: str, planned_free_bytes: int | None
) -> MemoryKinds:
    """The kinds as the newest events show them."""
    newest, peak_bytes = memory.newest, memory.peak_bytes
    if device == "cuda":
        allocated, reserved = (
            whole(newest.get("allocated_bytes")),
            whole(newest.get("reserved_bytes")),
        )
        used, available = whole(newest.get("card_used_bytes")), whole(newest.get("card_free_bytes"))
    else:
        allocated = reserved = None
        total, available = (
            whole(newest.get("host_total_bytes")),
            whole(newest.get("host_available_bytes")),
        )
        used = None if total is None or available is None else total - available
    free = _sum(available, memory.now_bytes)
    free = planned_free_bytes if free is None else free
    return MemoryKinds(
        run_bytes=peak_bytes,
        allocated_bytes=allocated,
        cached_bytes=_less(reserved, allocated),
        context_bytes=_less(peak_bytes, reserved),
        others_bytes=_less(used, memory.now_bytes),
        free_bytes=free,
        room_bytes=_less(free, peak_bytes),
    )


def whole(value: Any) -> int | None:
    """A number of bytes, None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _less(larger: int | None, smaller: int | None) -> int | None:
    return None if larger is None or smaller is None else max(0, larger - smaller)


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second
