"""A tape followed forward as a held-out batch is: nothing is kept, and nothing dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from planner.memory.moments import Marked
    from planner.memory.tape import Operation, Storage


def moments_of_held_out(operations: Sequence[Operation]) -> list[Marked]:
    """Name and packed bytes of every moment of forward, with nothing saved and no gradients."""
    moments: list[Marked] = []
    living: dict[Storage, None] = {}
    again = _given_back(operations)
    alive = 0
    for position, operation in enumerate(operations):
        if operation.only_in_training:
            continue
        for made in operation.outputs:
            looks_at_inputs = any(made.storage is tensor.storage for tensor in operation.inputs)
            if made.storage not in living and not looks_at_inputs:
                living[made.storage] = None
                alive += made.storage.size.packed
        scratch = operation.saved_aside.packed + operation.forward_scratch.packed
        moments.append((operation.name, alive + scratch, 0, 0))
        for storage in [each for each in living if again.get(each, each.last_use) <= position]:
            del living[storage]
            alive -= storage.size.packed
    return moments


def _given_back(operations: Sequence[Operation]) -> dict[Storage, int]:
    """The last use of what dropout gives back: its own, or that of what would come of it."""
    last: dict[Storage, int] = {}
    for operation in reversed(operations):
        if operation.only_in_training:
            before, after = operation.inputs[0].storage, operation.outputs[0].storage
            uses = (before.last_use, last.get(before, -1), last.get(after, after.last_use))
            last[before] = max(uses)
    return last
