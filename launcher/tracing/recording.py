"""What one traced model did: every birth and death, and the peak of every part of the step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from launcher.tracing.allocation_log import Mark, Origin
from launcher.tracing.step import STEPS
from planner.memory.allocator import Event

_LAST_STEP = str(STEPS - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """All births and deaths of the steps of one model of some depth."""

    layers: int
    frozen: int
    """How many of the first blocks are not trained; 0 when all are, or none but adapters."""
    events: Sequence[Event]
    marks: Sequence[Mark]
    """In order of position; the last one stands at the end of the steps."""
    origins: Sequence[Origin]
    owners: Mapping[int, int]
    """Of tensors made while the optimizer steps: the tensor each was made for."""
    blocks_path: str
    """What the names of the blocks' parameters begin with."""
    operations: int

    def peaks(self, *, ends: int) -> dict[str, int]:
        """Most bytes alive in each part of the last step.

        The `ends` first and last blocks of a kind keep names of their own, counted from either
        end, so that models of different depth can be compared.
        """
        peaks: dict[str, int] = {}
        for segment, most in self._segment_peaks():
            step, _, part = segment.partition("/")
            if step == _LAST_STEP:
                name = self._part_name(part, ends)
                peaks[name] = max(most, peaks.get(name, 0))
        return peaks

    def _part_name(self, part: str, ends: int) -> str:
        stage, _, block = part.partition(":")
        if not block.isdecimal():
            return part
        index, count, kind = int(block), self.frozen, "frozen"
        if index >= self.frozen:
            index, count, kind = index - self.frozen, self.layers - self.frozen, ""
        if index >= ends:
            index -= count
        name = str(index) if -ends <= index < ends else "middle"
        return f"{stage}:{kind}{name}"

    def _segment_peaks(self) -> Iterator[tuple[str, int]]:
        alive = sum(change for _, change in self.events[: self.marks[0].position])
        for mark, following in zip(self.marks, self.marks[1:], strict=False):
            most = alive
            for _, change in self.events[mark.position : following.position]:
                alive += change
                most = max(most, alive)
            yield mark.segment, most

    @property
    def rest_bytes(self) -> int:
        """Bytes alive after the last step."""
        return sum(change for _, change in self.events)

    def block_of_parameter(self, number: int) -> int | None:
        """The block whose parameter or buffer a tensor is; None when it is none."""
        origin = self.origins[number]
        if origin.segment or not origin.maker.startswith(self.blocks_path):
            return None
        return int(origin.maker.removeprefix(self.blocks_path).split(".")[0])

    def alive_at_peak(self) -> list[tuple[Origin, int]]:
        """The tensors alive at the moment of the peak, largest first."""
        alive = most = moment = 0
        for position, (_, change) in enumerate(self.events):
            alive += change
            if alive > most:
                most, moment = alive, position
        sizes: dict[int, int] = {}
        for number, change in self.events[: moment + 1]:
            sizes[number] = sizes.get(number, 0) + change
        living = [(self.origins[number], size) for number, size in sizes.items() if size]
        return sorted(living, key=lambda each: -each[1])
