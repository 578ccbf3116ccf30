"""What the caching allocator makes of a traced step: taken, and needed, by whole replays.

Where rows are of unequal lengths many steps are replayed: what the allocator keeps of blocks that
fit no other length is the largest share of what such a run takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, get_args

from launcher.tracing.many_steps import TracedStep
from launcher.tracing.trace import FullDepth, trace_one_step
from planner.memory.allocator import Event, replay, smallest_budget
from planner.memory.batches import batch_lengths
from planner.memory.segments import SMALL_REQUEST_BYTES
from planner.memory.traced import KeptBytes
from planner.request import Allocator, TrainingRequest

_ORDERS = 3
"""The same rows in another order leave other holes: the middle of so many counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Bytes of the allocator, without the driver's context."""

    reserved_bytes: int
    """Where nothing limits it."""
    needed_bytes: int
    """Fewest with which the step does not run out."""
    ways: Mapping[str, KeptBytes]
    """What it takes with either kind of segments when the data's own rows stand in batches as they
    come, by like length, or packed; none where no lengths are given, or all are alike."""


def kept_by_allocator(
    full: FullDepth, config: Mapping[str, Any], request: TrainingRequest, workspace_bytes: int
) -> Kept:
    """Replays of equal steps, and of many unequal ones where the rows are."""
    events = full.events()
    expandable = request.allocator == "expandable"
    reserved = replay(events, expandable=expandable).peak_reserved_bytes
    needed = smallest_budget(events, expandable=expandable)
    orders = 1 if expandable else _ORDERS
    batches = [batch_lengths(request, order=order) for order in range(orders)]
    if not batches[0]:
        return Kept(reserved_bytes=reserved, needed_bytes=needed, ways={})
    step = trace_one_step(full, config, request, workspace_bytes)
    small = [event for event in events if abs(event[1]) <= SMALL_REQUEST_BYTES]
    small_bytes = replay(small, expandable=expandable).peak_reserved_bytes
    streams = [list(step.steps(lengths)) for lengths in batches]
    unequal = median(
        replay(stream, expandable=expandable).peak_reserved_bytes for stream in streams
    )
    return Kept(
        reserved_bytes=max(reserved, round(unequal) + small_bytes),
        needed_bytes=_budget(streams[0], needed, small_bytes, expandable=expandable),
        ways={} if request.lengths is None else _ways(events, step, request, small_bytes),
    )


def _budget(
    stream: Sequence[Event], needed_bytes: int, small_bytes: int, *, expandable: bool
) -> int:
    """What equal steps need if that is enough for unequal ones; else what those do."""
    cap = needed_bytes - small_bytes
    if not replay(stream, expandable=expandable, cap_bytes=cap).ran_out:
        return needed_bytes
    budget = smallest_budget(stream, expandable=expandable, precision_bytes=cap // 100)
    return max(needed_bytes, budget + small_bytes)


def _ways(
    events: Sequence[Event], step: TracedStep, request: TrainingRequest, small_bytes: int
) -> dict[str, KeptBytes]:
    """Packed rows are all as long as the longest."""
    streams: dict[str, Sequence[Event]] = {"packed": events}
    for batching in ("random", "grouped"):
        streams[batching] = list(step.steps(batch_lengths(request, batching=batching)))
    return {
        name: KeptBytes(**{kind: _taken(name, stream, kind, small_bytes) for kind in _KINDS})
        for name, stream in streams.items()
    }


_KINDS: tuple[Allocator, ...] = get_args(Allocator)


def _taken(name: str, stream: Sequence[Event], kind: Allocator, small_bytes: int) -> int:
    taken = replay(stream, expandable=kind == "expandable").peak_reserved_bytes
    return taken if name == "packed" else taken + small_bytes
