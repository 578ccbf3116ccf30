"""How much memory the worker uses: of its card, and of the host."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from hwdb.detect import (
    GpuLost,
    HostMemory,
    NvmlSampler,
    NvmlUnavailable,
    process_memory,
    process_tree,
    read_host_memory,
)

CARD_SECONDS = 0.25
"""Between two looks at a card: what it holds between them is seen by nobody."""
HOST_SECONDS = 1.0
"""Between two looks at a worker on the CPU: the kernel keeps its peak, and each look takes a core
from the training for a moment."""
EVENT_SECONDS = 0.5
"""Between two `memory` events; a new peak is told at once."""
_SURROUNDINGS_SECONDS = 2.0

Sample = dict[str, Any]


class HostMeter:
    """Resident memory of the worker and its children, and what is left of the host's."""

    seconds = HOST_SECONDS

    def __init__(self) -> None:
        self.pids: set[int] = set()
        """The worker and its descendants; new ones are noticed within two seconds."""
        self.host: HostMemory | None = None
        self._next_look = 0.0

    def sample(self, pid: int, now: float) -> Sample | None:
        """Now, and the kernel's own record of the worker's peak, which misses nothing.

        None once the worker is gone.
        """
        own = process_memory(pid)
        if own is None:
            return None
        if self.host is None or now >= self._next_look:
            self._next_look = now + _SURROUNDINGS_SECONDS
            self.pids, self.host = process_tree(pid), read_host_memory()
        children = [process_memory(each) for each in self.pids if each != pid]
        return {
            # Pages that several of them share are counted in each, as `ps` and `top` do.
            "host_bytes": own.resident_bytes
            + sum(each.resident_bytes for each in children if each),
            "host_peak_bytes": own.peak_bytes,
            "host_total_bytes": self.host.total_bytes,
            "host_available_bytes": self.host.available_bytes,
        }

    def highest_bytes(self, sample: Sample) -> int:
        """What a sample says about the peak."""
        return int(max(sample["host_bytes"], sample["host_peak_bytes"] or 0))


class GpuMeter:
    """Memory of the cards that the worker holds, as the driver sees it, beside the host's.

    Where the driver names no processes (WSL, some containers) it is what a card uses now
    less what it used before the start, marked `approximate`. Of several cards the fullest one
    stands in the sample itself, and all of them under `cards`.
    """

    seconds = CARD_SECONDS

    def __init__(self, *uuids: str) -> None:
        self._uuids = uuids
        self._host = HostMeter()
        self._nvml = NvmlSampler()
        self._used_before_bytes: dict[str, int | None] = {}
        self._facts: dict[str, Sample] = {}
        """Told with the first sample only: they never change."""

    def __enter__(self) -> Self:
        self._nvml.__enter__()
        for uuid in self._uuids:
            card = self._nvml.identity(uuid)
            sample = self._nvml.sample(uuid, ())
            self._used_before_bytes[uuid] = sample.used_bytes
            self._facts[uuid] = {
                "card_index": card.index,
                "card_name": card.name,
                "card_total_bytes": sample.total_bytes,
                "power_limit_watts": card.power_limit_watts,
            }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._nvml.__exit__(kind, error, traceback)

    @property
    def host(self) -> HostMemory | None:
        """The host's memory at the last look at it."""
        return self._host.host

    def sample(self, pid: int, now: float) -> Sample | None:
        """Now; raises GpuLost when the card no longer answers."""
        host = self._host.sample(pid, now)
        if host is None:
            return None
        cards = [self._card(uuid, self._host.pids) for uuid in self._uuids]
        fullest = max(cards, key=lambda card: card["device_bytes"] or 0)
        return host | fullest | ({"cards": cards} if len(cards) > 1 else {})

    def highest_bytes(self, sample: Sample) -> int:
        """What a sample says about the peak."""
        return int(sample["device_bytes"] or 0)

    def _card(self, uuid: str, pids: set[int]) -> Sample:
        card = self._nvml.sample(uuid, pids)
        before_bytes = self._used_before_bytes[uuid]
        device_bytes = card.process_bytes
        if device_bytes is None and card.used_bytes is not None and before_bytes is not None:
            device_bytes = max(0, card.used_bytes - before_bytes)
        return {
            "device_bytes": device_bytes,
            "approximate": card.process_bytes is None,
            "card_used_bytes": card.used_bytes,
            "card_free_bytes": card.free_bytes,
            "utilization_percent": card.utilization_percent,
            "temperature_celsius": card.temperature_celsius,
            "power_watts": card.power_watts,
        } | self._facts.pop(uuid, {})


class MemoryWatch:
    """Samples one worker and tells about it twice a second, and at once about a new peak."""

    def __init__(self, *, gpu_uuid: str | None, tell: Callable[..., None]) -> None:
        """`tell` takes the type and the fields of an event."""
        self._gpu_uuid = gpu_uuid
        self._tell = tell
        self._resources = ExitStack()
        self._meter: HostMeter | GpuMeter = HostMeter()
        self._peak_bytes = 0
        self._next_event = 0.0
        self.lost_gpu: str | None = None
        """Why the card no longer answers, None while it does."""

    def __enter__(self) -> Self:
        if self._gpu_uuid is not None:
            try:
                self._meter = self._resources.enter_context(GpuMeter(self._gpu_uuid))
            except (NvmlUnavailable, GpuLost) as problem:
                self._without_card(problem)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._resources.__exit__(kind, error, traceback)

    @property
    def seconds(self) -> float:
        """How long to wait between two looks."""
        return self._meter.seconds

    @property
    def host(self) -> HostMemory | None:
        """The host's memory at the last look at it, some two seconds ago; None before the first."""
        return self._meter.host

    def sample(self, pid: int, now: float) -> None:
        """Look once; `now` is a monotonic time in seconds."""
        try:
            sample = self._meter.sample(pid, now)
        except GpuLost as problem:
            self.lost_gpu = str(problem)
            self._without_card(problem)
            return
        if sample is None:
            return
        highest_bytes = self._meter.highest_bytes(sample)
        if highest_bytes > self._peak_bytes or now >= self._next_event:
            self._peak_bytes = max(highest_bytes, self._peak_bytes)
            self._next_event = now + EVENT_SECONDS
            self._tell("memory", **sample)

    def _without_card(self, problem: Exception) -> None:
        self._meter = HostMeter()
        self._tell("warning", message=f"memory of the card is not measured: {problem}")
