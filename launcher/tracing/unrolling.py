"""The events of the full model from those of a shallow one: its middle blocks, many times over.

Replaying the allocator needs every birth and death in order, and tracing every block of a deep
model takes too long. The middle blocks of a shallow model do what every further block does, so
their stretches of the stream are repeated, upwards in forward and downwards in backward, each copy
with tensors of its own. What a block hands to its neighbour is freed by the neighbour's copy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from launcher.tracing.recording import Recording
from planner.memory.allocator import Event

_BELOW, _MIDDLE, _ABOVE = "below", "middle", "above"
_UPWARDS = ("forward", "evaluate")
"""Stages that run the blocks from the first to the last."""


class Unrolled(NamedTuple):
    """The stream of a deeper model."""

    events: list[Event]
    places: Mapping[int, int]
    """Where stretches between blocks begin: in the recording, and here."""
    copies: int
    """Tensor n of the recording is n * copies here, and its copies the next numbers."""


def unrolled(recording: Recording, *, first: int, period: int, copies: int) -> Unrolled:
    """The events with blocks `first` to `first + period` standing there `copies` times."""
    if copies == 1:
        places = {mark.position: mark.position for mark in recording.marks}
        return Unrolled(list(recording.events), places, 1)
    stretches = list(_stretches(recording, first, period))
    tensors = _Tensors(recording, stretches, first, period)
    unrolling = _Unrolling(recording, tensors, copies)
    events: list[Event] = []
    places = {}
    for stretch in stretches:
        places[stretch.start] = len(events)
        events += unrolling.events(stretch)
    return Unrolled(events, places, copies)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Consecutive events of one pass through blocks of one zone, or of neither."""

    start: int
    end: int
    stage: str
    zone: str | None
    """Where the blocks stand; None outside blocks."""
    turn: str
    """Step and number of the pass within it."""


def _stretches(recording: Recording, first: int, period: int) -> Iterator[_Stretch]:
    """The whole stream; the middle blocks of one pass make one stretch."""
    yield _Stretch(0, recording.marks[0].position, "", None, "")
    passes: dict[str, int] = defaultdict(int)
    open_stretch: _Stretch | None = None
    for mark, following in zip(recording.marks, recording.marks[1:], strict=False):
        step, _, part = mark.segment.partition("/")
        stage, _, block = part.partition(":")
        zone = _zone(block, first, period)
        if block == "before":
            passes[step] += 1
        turn = f"{step}.{passes[step]}"
        if open_stretch is not None and (zone, stage) == (_MIDDLE, open_stretch.stage):
            start = open_stretch.start
        else:
            if open_stretch is not None:
                yield open_stretch
            start = mark.position
        open_stretch = _Stretch(start, following.position, stage, zone, turn)
        if zone != _MIDDLE:
            yield open_stretch
            open_stretch = None
    if open_stretch is not None:
        yield open_stretch


def _zone(block: str, first: int, period: int) -> str | None:
    if not block.isdecimal():
        return None
    index = int(block)
    return _BELOW if index < first else _MIDDLE if index < first + period else _ABOVE


@dataclass(slots=True)
class _Tensors:
    """Which tensors belong to the middle blocks, and which cross between neighbours."""

    recording: Recording
    stretches: Sequence[_Stretch]
    first: int
    period: int
    born: dict[int, _Stretch] = field(default_factory=dict)
    middle: set[int] = field(default_factory=set)
    partner: dict[int, int] = field(default_factory=dict)
    """A tensor that a middle block frees for its neighbour, to the one the neighbour frees for it:
    the same tensor of the next copy."""
    leaves: dict[int, str] = field(default_factory=dict)
    """A middle tensor that a neighbour frees, and where that neighbour stands."""

    def __post_init__(self) -> None:
        entering: dict[tuple[str, ...], list[Event]] = defaultdict(list)
        leaving: dict[tuple[str, ...], list[Event]] = defaultdict(list)
        for stretch in self.stretches:
            for number, change in self.recording.events[stretch.start : stretch.end]:
                if change > 0:
                    self.born[number] = stretch
                    if self._is_middle(number, stretch):
                        self.middle.add(number)
                    continue
                birth = self.born[number]
                if birth.zone is None or stretch.zone is None or birth.zone == stretch.zone:
                    continue
                key = (birth.stage, stretch.stage, birth.turn, stretch.turn)
                if stretch.zone == _MIDDLE:
                    entering[(*key, birth.zone)].append((number, change))
                elif birth.zone == _MIDDLE:
                    opposite = _ABOVE if stretch.zone == _BELOW else _BELOW
                    leaving[(*key, opposite)].append((number, change))
        self._pair(entering, leaving)

    def _is_middle(self, number: int, stretch: _Stretch) -> bool:
        if stretch.zone is not None:
            return stretch.zone == _MIDDLE
        owner = self.recording.owners.get(number)
        if owner is not None:
            return owner in self.middle
        block = self.recording.block_of_parameter(number)
        return block is not None and self.first <= block < self.first + self.period

    def _pair(
        self,
        entering: Mapping[tuple[str, ...], list[Event]],
        leaving: Mapping[tuple[str, ...], list[Event]],
    ) -> None:
        for key, ins in entering.items():
            outs = leaving.get(key, [])
            for (entered, in_change), (left, out_change) in zip(ins, outs, strict=False):
                if in_change == out_change:
                    self.partner[entered] = left
                    self.leaves[left] = _ABOVE if key[-1] == _BELOW else _BELOW


class _Unrolling:
    """Writes the stream of the full model."""

    def __init__(self, recording: Recording, tensors: _Tensors, copies: int) -> None:
        self._events = recording.events
        self._tensors = tensors
        self._copies = copies

    def events(self, stretch: _Stretch) -> Iterator[Event]:
        """Every birth and death of a stretch, each copy's tensors numbered apart."""
        part = self._events[stretch.start : stretch.end]
        if stretch.zone != _MIDDLE:
            for event in part:
                yield from self._outside(event, stretch)
            return
        order = range(self._copies)
        for copy in order if stretch.stage in _UPWARDS else reversed(order):
            for event in part:
                yield self._inside(event, stretch, copy)

    def _number(self, number: int, copy: int) -> int:
        return number * self._copies + copy

    def _outside(self, event: Event, stretch: _Stretch) -> Iterator[Event]:
        number, change = event
        if number not in self._tensors.middle:
            yield self._number(number, 0), change
        elif change < 0 and self._tensors.leaves.get(number) == stretch.zone is not None:
            yield self._number(number, self._last(stretch.zone)), change
        else:
            for copy in range(self._copies):
                yield self._number(number, copy), change

    def _last(self, zone: str) -> int:
        """The copy next to that neighbour."""
        return self._copies - 1 if zone == _ABOVE else 0

    def _inside(self, event: Event, stretch: _Stretch, copy: int) -> Event:
        number, change = event
        if number in self._tensors.middle:
            return self._number(number, copy), change
        born = self._tensors.born[number]
        below = born.zone == _BELOW
        if born.zone is None:
            last = self._copies - 1 if stretch.stage in _UPWARDS else 0
            return (self._number(number, 0), change) if copy == last else (-1, 0)
        boundary = 0 if below else self._copies - 1
        if copy == boundary:
            return self._number(number, 0), change
        partner = self._tensors.partner.get(number)
        if partner is None:
            return -1, 0
        return self._number(partner, copy - 1 if below else copy + 1), change
