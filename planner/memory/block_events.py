"""One block's pass at one length as a stream of tensors made and freed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from planner.memory.allocator import Event
from planner.memory.replay import saved_storages
from planner.memory.segments import SMALL_REQUEST_BYTES
from planner.memory.size import Dimensions
from planner.memory.tape import Operation, Storage, Tape, Tensor


@dataclass(slots=True)
class Stream:
    """Events so far; `made` returns a number that `free` takes back."""

    events: list[Event] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def make(self, size_bytes: float) -> int:
        number = len(self.sizes)
        size = int(size_bytes)
        self.sizes.append(size)
        if size > SMALL_REQUEST_BYTES:
            self.events.append((number, size))
        return number

    def free(self, *numbers: int) -> None:
        for number in numbers:
            size = self.sizes[number]
            if size > SMALL_REQUEST_BYTES:
                self.events.append((number, -size))
            self.sizes[number] = 0


class BlockEvents:
    """One block's operations at one length, replayed with real sizes by autograd's rules."""

    def __init__(
        self, stream: Stream, tape: Tape, at: Dimensions, gradient: Callable[[float], None]
    ) -> None:
        self.stream = stream
        self.tape = tape
        self.gradient = gradient
        """Told the bytes of every weight's gradient."""
        self.plans = [_Plan(operation, at) for operation in tape.operations]
        self.at = at
        self.savers = Counter(storage for plan in self.plans for storage in plan.saved)

    def forward(self, *, keep: bool) -> tuple[int, Held]:
        """Run it; the output, and what backward will need (by storage, and by operation)."""
        stream, held = self.stream, Held({}, {})
        living: dict[Storage, int] = {}
        for position, plan in enumerate(self.plans):
            for storage in plan.made:
                living[storage] = stream.make(storage.size.at(self.at))
            if plan.aside:
                aside = stream.make(plan.aside)
                if keep:
                    held.asides[position] = aside
                else:
                    stream.free(aside)
            stream.free(stream.make(plan.forward_scratch))
            for storage in [each for each in living if each.last_use <= position]:
                if position == len(self.plans) - 1 and storage is self._output:
                    continue
                number = living.pop(storage)
                if keep and storage in self.savers:
                    held.storages[storage] = number
                else:
                    stream.free(number)
        return living[self._output], held

    @property
    def _output(self) -> Storage:
        return self.tape.operations[-1].outputs[0].storage

    def backward(self, held: Held, incoming: int, residual: float) -> int:
        """Run it backward from the gradient of its output; the gradient of its input."""
        stream, savers = self.stream, self.savers.copy()
        last = self.tape.operations[-1].outputs[0]
        gradients: dict[Tensor, int] = {last: incoming}
        owners = Counter({incoming: 1})
        for position in reversed(range(len(self.plans))):
            plan = self.plans[position]
            own = [gradients.pop(out) for out in plan.operation.outputs if out in gradients]
            made = self._differentiate(plan, own[0], owners) if own else {}
            for number in own:
                self._let_go(number, owners)
            if position in held.asides:
                stream.free(held.asides.pop(position))
            for storage in plan.saved:
                savers[storage] -= 1
                if not savers[storage] and storage in held.storages:
                    stream.free(held.storages.pop(storage))
            for tensor, number in made.items():
                if tensor in gradients:
                    self._let_go(number, owners)  # added into the one that waits there
                else:
                    gradients[tensor] = number
        stream.free(*held.storages.values())
        entering = None if self.tape.start is None else gradients.get(self.tape.start)
        return stream.make(residual) if entering is None else entering

    def _differentiate(self, plan: _Plan, own: int, owners: Counter[int]) -> dict[Tensor, int]:
        stream, operation = self.stream, plan.operation
        scratch = stream.make(plan.backward_scratch)
        made: dict[Tensor, int] = {}
        for tensor in operation.inputs:
            if not tensor.needs_grad:
                continue
            if tensor.is_weight:
                self.gradient(tensor.size.at(self.at))
            elif operation.shares_gradient(tensor):
                made[tensor] = own
                owners[own] += 1
            else:
                made[tensor] = stream.make(tensor.size.at(self.at))
                owners[made[tensor]] = 1
        stream.free(scratch)
        return made

    def _let_go(self, number: int, owners: Counter[int]) -> None:
        owners[number] -= 1
        if not owners[number]:
            self.stream.free(number)


class Held(NamedTuple):
    """What one block's forward leaves for its backward."""

    storages: dict[Storage, int]
    asides: dict[int, int]
    """By position of the operation that keeps them."""


class _Plan:
    """An operation with its sizes at one length, in bytes."""

    __slots__ = ("aside", "backward_scratch", "forward_scratch", "made", "operation", "saved")

    def __init__(self, operation: Operation, at: Dimensions) -> None:
        self.operation = operation
        given = {tensor.storage for tensor in operation.inputs}
        self.made = {out.storage for out in operation.outputs} - given
        self.saved = saved_storages(operation)
        self.aside = operation.saved_aside.at(at)
        self.forward_scratch = operation.forward_scratch.at(at)
        self.backward_scratch = operation.backward_scratch.at(at)
