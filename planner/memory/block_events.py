"""One block's pass at one length as a stream of tensors made and freed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from planner.memory.allocator import Event
from planner.memory.segments import SMALL_REQUEST_BYTES
from planner.memory.size import Dimensions
from planner.memory.tape import Operation, Tape, Tensor


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
    """One block's operations at one length, replayed with real sizes."""

    def __init__(
        self, stream: Stream, tape: Tape, at: Dimensions, gradient: Callable[[float], None]
    ) -> None:
        self.stream = stream
        self.tape = tape
        self.gradient = gradient
        """Told the bytes of every weight's gradient."""
        self.plans = [_Plan(operation, at) for operation in tape.operations]
        self.sizes = {
            id(operation.output): operation.output.size.at(at) for operation in tape.operations
        }
        start = tape.start
        assert start is not None
        self.sizes[id(start)] = start.size.at(at)

    def forward(self, *, keep: bool) -> tuple[int, dict[int, int]]:
        """Run it; the output, and what backward will need (by tensor, and asides by operation)."""
        numbers: dict[int, int] = {}
        held: dict[int, int] = {}
        living: list[Tensor] = []
        for position, plan in enumerate(self.plans):
            operation = plan.operation
            made = operation.output
            numbers[id(made)] = self.stream.make(plan.output)
            living.append(made)
            if plan.aside:
                aside = self.stream.make(plan.aside)
                if keep:
                    held[-position - 1] = aside
                else:
                    self.stream.free(aside)
            if plan.forward_scratch:
                self.stream.free(self.stream.make(plan.forward_scratch))
            for tensor in [t for t in living if t.last_use <= position and t is not made]:
                living.remove(tensor)
                if keep and tensor.savers:
                    held[id(tensor)] = numbers[id(tensor)]
                else:
                    self.stream.free(numbers[id(tensor)])
        output = numbers[id(self.tape.operations[-1].output)]
        for tensor in living[:-1]:
            if keep and tensor.savers:
                held[id(tensor)] = numbers[id(tensor)]
            else:
                self.stream.free(numbers[id(tensor)])
        return output, held

    def backward(self, held: dict[int, int], incoming: int, residual: float) -> int:
        """Run it backward from the gradient of its output; the gradient of its input."""
        stream = self.stream
        savers = {id(t): t.savers for plan in self.plans for t in plan.operation.saved}
        gradient: dict[int, int] = {id(self.tape.operations[-1].output): incoming}
        shared: dict[int, int] = {incoming: 1}
        for position in reversed(range(len(self.plans))):
            plan = self.plans[position]
            if id(plan.operation.output) in gradient:
                self._differentiate(plan, gradient, shared)
            if -position - 1 in held:
                stream.free(held.pop(-position - 1))
            for tensor in plan.operation.saved:
                savers[id(tensor)] -= 1
                if not savers[id(tensor)] and id(tensor) in held:
                    stream.free(held.pop(id(tensor)))
        stream.free(*held.values())
        entering = gradient.get(id(self.tape.start))
        return stream.make(residual) if entering is None else entering

    def _differentiate(self, plan: _Plan, gradient: dict[int, int], shared: dict[int, int]) -> None:
        stream, own = self.stream, gradient.pop(id(plan.operation.output))
        scratch = stream.make(plan.backward_scratch)
        if plan.weight_gradients:
            self.gradient(plan.weight_gradients)
        for tensor in plan.operation.inputs:
            if tensor.needs_grad:
                self._pass_on(plan, tensor, own, gradient, shared)
        stream.free(scratch)
        shared[own] -= 1
        if not shared[own]:
            stream.free(own)

    def _pass_on(
        self,
        plan: _Plan,
        tensor: Tensor,
        own: int,
        gradient: dict[int, int],
        shared: dict[int, int],
    ) -> None:
        size = self.sizes[id(tensor)]
        same = plan.operation.passes_gradient_on and size == plan.output
        if same and id(tensor) not in gradient:
            gradient[id(tensor)] = own
            shared[own] += 1
            return
        made = self.stream.make(size)
        if id(tensor) in gradient:
            self.stream.free(made)  # added into the one that waits there
            return
        gradient[id(tensor)] = made
        shared[made] = 1


class _Plan:
    """An operation with its sizes at one length, in bytes."""

    __slots__ = (
        "aside", "backward_scratch", "forward_scratch", "operation", "output", "weight_gradients",
    )  # fmt: skip

    def __init__(self, operation: Operation, at: Dimensions) -> None:
        self.operation = operation
        self.output = operation.output.size.at(at)
        self.aside = operation.saved_aside.at(at)
        self.forward_scratch = operation.forward_scratch.at(at)
        self.backward_scratch = operation.backward_scratch.at(at)
        self.weight_gradients = operation.weight_gradients.at(at)
