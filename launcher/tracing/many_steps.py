"""Many steps of micro-batches of unequal lengths, each written after one traced step.

A tensor grows with the length as its shape says: a dimension that is a multiple of the length is
one of tokens, whatever else it counts. So the step is traced at a length that divides no width of
the model, and written anew for every other. Tensors of up to 1 MiB live in segments of their own
and are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from launcher.tracing.allocation_log import Origin
from planner.memory.allocator import Event
from planner.memory.segments import SMALL_REQUEST_BYTES

_OTHER_WIDTHS = (4096, 32768)
"""Of the tiles in which TRL computes logits."""


def length_apart(longest: int, origins: Iterable[Origin]) -> int:
    """The largest length up to `longest` that no width of a model is a multiple of.

    Nor of one less, which the logits of all but the last token have.
    """
    widths = {width for origin in origins if not origin.segment for width in origin.shape}
    widths.update(_OTHER_WIDTHS)
    for length in range(longest, max(longest // 2, 2), -1):
        if not any(width % length == 0 or width % (length - 1) == 0 for width in widths):
            return length
    return longest


@dataclass(frozen=True, kw_only=True)
class TracedStep:
    """One step after the first."""

    standing: Sequence[Event]
    """What is there between steps. The first step of all does not come before the others: had it
    the longest rows, it would leave room for all of them."""
    events: Sequence[Event]
    origins: Sequence[Origin]
    copies: int
    """Tensor n of the stream was written after tensor n // copies of the trace."""
    length: int
    """Tokens a row it was traced with."""

    def steps(self, lengths: Iterable[int]) -> Iterator[Event]:
        """The large tensors of a step for each of the lengths, one behind the other."""
        yield from (event for event in self.standing if event[1] > SMALL_REQUEST_BYTES)
        written = cache(self._at)
        first = 1 + max(number for number, _ in (*self.standing, *self.events))
        for length in lengths:
            step = written(length)
            yield from ((first + number, change) for number, change in step)
            first += 1 + max((number for number, _ in step), default=0)

    def _at(self, length: int) -> list[Event]:
        """The step at another length; what outlives it goes with it."""
        sizes: dict[int, int] = {}
        made: list[Event] = []
        for number, change in self.events:
            if change > 0:
                size = round(change * self._growth(number, length))
                if size > SMALL_REQUEST_BYTES:
                    sizes[number] = size
                    made.append((number, size))
            elif number in sizes:
                made.append((number, -sizes.pop(number)))
        return [*made, *((number, -size) for number, size in sizes.items())]

    def _growth(self, number: int, length: int) -> float:
        growth = 1.0
        for width in self.origins[number // self.copies].shape:
            if width and width % self.length == 0:
                growth *= length / self.length
            elif width and self.length > 2 and width % (self.length - 1) == 0:
                growth *= (length - 1) / (self.length - 1)
        return growth
