"""What one traced model did: every birth and death, and the peak of every part of the step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal, get_args

from launcher.tracing.allocation_log import Mark, Origin, Role
from launcher.tracing.step import HEAD_BLOCKS, STEPS
from planner.memory.allocator import Event

_LAST_STEP = str(STEPS - 1)

PartName = Literal[
    "weights",
    "adapters",
    "gradients",
    "optimizer",
    "activations",
    "logits",
    "temporaries",
    "runtime",
]
"""What the bytes of a step are for."""

_PART_OF_ROLE: Mapping[Role, PartName] = {
    "weights": "weights",
    "adapters": "adapters",
    "runtime": "runtime",
}


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
    blocks_path: str | None
    """What the names of the blocks' parameters begin with; None where the model has no stack."""
    operations: int
    trained_parameters: int
    paged_bytes: int
    """Optimizer state in pages."""
    loading_bytes: int = 0
    """What loading has in flight beside the weights."""
    saving_bytes: int = 0
    """What saving takes beside what is there between steps."""
    gradients: frozenset[int] = frozenset()
    """Tensors that are a parameter's gradient."""
    hidden_size: int | None = None
    """Width of the residual stream, which tells logits from hidden states."""

    def peaks(self, *, ends: int) -> dict[str, int]:
        """Most bytes alive in each part of the last step.

        The `ends` first and last blocks of a kind keep names of their own, counted from either
        end, so that models of different depth can be compared.
        """
        return {name: sum(parts.values()) for name, parts in self.parts(ends=ends).items()}

    def parts(self, *, ends: int) -> dict[str, dict[PartName, int]]:
        """What is alive when most is, in each part of the last step."""
        found: dict[str, dict[PartName, int]] = {}
        for segment, parts in self._segment_peaks():
            step, _, part = segment.partition("/")
            if step == _LAST_STEP:
                name = self._part_name(part, ends)
                if name not in found or sum(parts.values()) > sum(found[name].values()):
                    found[name] = parts
        return found

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

    def _segment_peaks(self) -> Iterator[tuple[str, dict[PartName, int]]]:
        names = self._names()
        alive: dict[PartName, int] = dict.fromkeys(get_args(PartName), 0)
        total = 0
        for number, change in self.events[: self.marks[0].position]:
            alive[names[number]] += change
            total += change
        for mark, following in zip(self.marks, self.marks[1:], strict=False):
            most, parts = total, dict(alive)
            for number, change in self.events[mark.position : following.position]:
                alive[names[number]] += change
                total += change
                if total > most:
                    most, parts = total, dict(alive)
            yield mark.segment, parts

    def _names(self) -> list[PartName]:
        """What each tensor counts as."""
        left = set[int]()
        for number, change in self.events:
            (left.add if change > 0 else left.discard)(number)
        return [self._name_of(number, stays=number in left) for number in range(len(self.origins))]

    def _name_of(self, number: int, *, stays: bool) -> PartName:
        origin = self.origins[number]
        if origin.role in _PART_OF_ROLE:
            return _PART_OF_ROLE[origin.role]
        if number in self.gradients:
            return "gradients"
        if stays:
            return "optimizer"
        stage, _, block = origin.segment.partition("/")[2].partition(":")
        in_head = block in HEAD_BLOCKS and origin.shape[-1:] != (self.hidden_size,)
        if in_head and len(origin.shape) > 1:
            return "logits"
        # Reentrant checkpoints run forward without a graph and keep what enters a block.
        return "activations" if origin.role == "graph" or stage == "forward" else "temporaries"

    @property
    def rest_bytes(self) -> int:
        """Bytes alive after the last step."""
        return sum(change for _, change in self.events)

    def block_of_parameter(self, number: int) -> int | None:
        """The block whose parameter or buffer a tensor is; None when it is none."""
        origin = self.origins[number]
        if (
            self.blocks_path is None
            or origin.segment
            or not origin.maker.startswith(self.blocks_path)
        ):
            return None
        return int(origin.maker.removeprefix(self.blocks_path).split(".")[0])

    def alive_at_peak(self, part: str, *, ends: int) -> list[tuple[Origin, int]]:
        """The tensors alive at the peak of a part that `peaks` names, largest first."""
        wanted = [
            range(mark.position, following.position)
            for mark, following in pairwise(self.marks)
            for step, _, name in [mark.segment.partition("/")]
            if step == _LAST_STEP and self._part_name(name, ends) == part
        ]
        levels = list(accumulate(change for _, change in self.events))
        moment = max((place for each in wanted for place in each), key=levels.__getitem__)
        sizes: dict[int, int] = {}
        for number, change in self.events[: moment + 1]:
            sizes[number] = sizes.get(number, 0) + change
        living = [(self.origins[number], size) for number, size in sizes.items() if size]
        return sorted(living, key=lambda each: -each[1])
