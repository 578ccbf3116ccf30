"""How much memory the worker uses: of its card, and of the host."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hwdb.detect import (
    GpuLost,
    NvmlSampler,
    NvmlUnavailable,
    process_peak_rss_bytes,
    process_tree_rss_bytes,
    read_host_memory,
)

SAMPLE_SECONDS = 0.25
EVENT_SECONDS = 0.5
"""Between two `memory` events; a new peak is told at once."""

Sample = dict[str, Any]


class HostMeter:
    """Resident memory of the worker and its children."""

    def sample(self, pid: int) -> Sample | None:
        """Now, and the kernel's own record of the worker's peak, which misses nothing.

        None once the worker is gone.
        """
        now_bytes = process_tree_rss_bytes(pid)
        if now_bytes is None:
            return None
        host = read_host_memory()
        return {
            "host_bytes": now_bytes,
            "host_peak_bytes": process_peak_rss_bytes(pid),
            "host_total_bytes": host.total_bytes,
            "host_available_bytes": host.available_bytes,
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

    def sample(self, pid: int) -> Sample | None:
        """Now; raises GpuLost when the card no longer answers."""
        host = self._host.sample(pid)
        if host is None:
            return None
        pids = process_tree(pid)
        cards = [self._card(uuid, pids) for uuid in self._uuids]
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

    def sample(self, pid: int, now: float) -> None:
        """Look once; `now` is a monotonic time in seconds."""
        try:
            sample = self._meter.sample(pid)
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


def process_tree(pid: int) -> set[int]:
    """The process and its descendants, read from the kernel's own lists of children."""
    tree = {pid}
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in children.read_text().split():
                tree |= process_tree(int(child))
        except OSError:
            continue
    return tree
