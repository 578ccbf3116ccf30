"""Follows a tape through forward and backward.

Autograd's rules, and nothing else: a storage lives until Python lets go of its tensors and the
last operation that saved it has run backward; a gradient lives until it was passed on; nodes run
in the reverse order of their forward; a second gradient of a tensor is added into the first where
autograd alone owns that (torch/csrc/autograd/input_buffer.cpp). Peaks are not sums, so every
moment just before something is freed is a candidate, and the largest one wins once the dimensions
are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from planner.memory.held_out import moments_of_held_out
from planner.memory.moments import Marked, Moments
from planner.memory.size import NOTHING, Size

if TYPE_CHECKING:
    from planner.memory.tape import Operation, Storage, Tape, Tensor


@dataclass
class Pass:
    """One pass with its moments."""

    operations: Sequence[Operation]
    forward_marks: Sequence[Marked]
    backward_marks: Sequence[Marked]
    stop: int
    """Operations of forward before the last one that saves."""
    saved: Size
    """Bytes kept for backward at the end of forward, the pass's own input left out."""
    weight_gradients: Size
    saves_input: bool
    """Whether the pass's own input is kept for backward."""
    waiting_gradients: Size
    """Gradients alive when backward first asks for something that was saved: a checkpointed block
    is computed again at that moment."""
    held: Size
    """The share of `saved` that outlives backward, until the graph itself is let go."""
    holds_input: bool
    """Whether the pass's own input is among that."""

    @cached_property
    def forward(self) -> Moments:
        """The moments of forward that may be its largest."""
        return Moments(self.forward_marks)

    @cached_property
    def evaluated(self) -> Moments:
        """Those of forward where nothing is kept or dropped."""
        return Moments(moments_of_held_out(self.operations))

    @cached_property
    def unsaved(self) -> Moments:
        """The moments of a forward after which only autocast's copies of trained weights stay."""
        casts = [_made_of_weights(operation) for operation in self.operations]
        forward = _Forward(_Savers(casts, None))
        for position, operation in enumerate(self.operations):
            scratch = operation.forward_scratch + operation.saved_aside  # let go at once
            kept = operation._replace(saved_aside=NOTHING, forward_scratch=scratch)
            forward.step(position, kept, set())
        return Moments(forward.moments)

    @cached_property
    def recomputed(self) -> Moments:
        """The same up to the last operation that saves: there a checkpoint stops."""
        return Moments(self.forward_marks[: self.stop])

    @cached_property
    def backward(self) -> Moments:
        """The moments of backward that may be its largest."""
        return Moments(self.backward_marks)


def replay(tape: Tape, *, keeps_weight_gradients: bool, step_copies: int = 0) -> Pass:
    """Follow a tape's operations forward and backward.

    `step_copies`: times a weight's gradient that stepping with it in backward takes on top.
    """
    operations, start = tape.operations, tape.start
    saved = [saved_storages(operation) for operation in operations]
    savers = _Savers(saved, start)
    forward = _Forward(savers)
    for position, operation in enumerate(operations):
        forward.step(position, operation, saved[position])
    backward = _Backward(
        savers, operations[-1].outputs[0], forward.saved, keeps=keeps_weight_gradients
    )
    backward.step_copies = step_copies
    for position in reversed(range(len(operations))):
        backward.step(operations[position], saved[position])
    return Pass(
        operations=operations,
        forward_marks=forward.moments,
        backward_marks=backward.moments,
        stop=_stop(operations),
        saved=Size(forward.saved),
        weight_gradients=Size(backward.weight_gradients),
        saves_input=savers.input_saved,
        waiting_gradients=Size(backward.waiting or 0),
        held=Size(sum(tensor.size.packed for tensor in tape.attributes)),
        holds_input=any(tensor is start for tensor in tape.attributes),
    )


def _stop(operations: Sequence[Operation]) -> int:
    """How many operations run before the last one that saves: what it reads is saved first."""
    for position in reversed(range(len(operations))):
        operation = operations[position]
        if operation.saves_output or operation.saved_aside:
            return position + 1
        if operation.saved:
            return position
    return 0


class _Savers:
    """How many operations still hold each saved storage."""

    def __init__(self, saved: Sequence[set[Storage]], start: Tensor | None) -> None:
        self._count: dict[Storage, int] = {}
        for storages in saved:
            for storage in storages:
                self._count[storage] = self._count.get(storage, 0) + 1
        self.input_saved = start is not None and start.storage in self._count

    def holds(self, storage: Storage) -> bool:
        """Whether it is kept for backward."""
        return storage in self._count

    def release(self, saved: set[Storage]) -> int:
        """The bytes that go once the operation that saved these ran backward."""
        freed = 0
        for storage in saved:
            self._count[storage] -= 1
            if not self._count[storage]:
                freed += storage.size.packed
        return freed


def saved_storages(operation: Operation) -> set[Storage]:
    """What an operation keeps for backward."""
    storages = {tensor.storage for tensor in operation.saved}
    if operation.saves_output:
        storages.add(operation.outputs[0].storage)
    return storages


def _made_of_weights(operation: Operation) -> set[Storage]:
    inputs = operation.inputs
    if not inputs or not all(tensor.is_weight and tensor.needs_grad for tensor in inputs):
        return set()
    return {made.storage for made in operation.outputs}


class _Forward:
    """Bytes are packed sizes."""

    def __init__(self, savers: _Savers) -> None:
        self.moments: list[Marked] = []
        self.saved = 0
        self._alive = 0
        self._savers = savers
        self._begun: set[Storage] = set()
        self._ending: dict[int, list[Storage]] = {}
        """By the position of the last operation up to which they are held."""
        self._kept: set[Storage] = set()

    def step(self, position: int, operation: Operation, saved: set[Storage]) -> None:
        for made in operation.outputs:
            storage = made.storage
            if storage not in self._begun and not _given(made, operation):
                self._begun.add(storage)
                self._ending.setdefault(max(storage.last_use, position), []).append(storage)
                self._alive += storage.size.packed
        self._alive += operation.saved_aside.packed
        self.saved += operation.saved_aside.packed
        for storage in saved - self._kept:
            self._kept.add(storage)
            self.saved += storage.size.packed
        total = self._alive + operation.forward_scratch.packed
        self.moments.append((operation.name, total, self.saved, 0))
        for storage in self._ending.pop(position, ()):
            if not self._savers.holds(storage):
                self._alive -= storage.size.packed


def _given(made: Tensor, operation: Operation) -> bool:
    """Whether an output looks at the bytes of an input."""
    for tensor in operation.inputs:  # noqa: SIM110  any() takes twice as long
        if made.storage is tensor.storage:
            return True
    return False


class _Gradient:
    """Packed bytes of a gradient, and how many tensors it is the gradient of."""

    __slots__ = ("dense", "owners", "size")

    def __init__(self, size: int, *, dense: bool = True) -> None:
        self.size = size
        self.owners = 1
        self.dense = dense


class _Backward:
    """Bytes are packed sizes."""

    def __init__(self, savers: _Savers, last: Tensor, saved: int, *, keeps: bool) -> None:
        self.moments: list[Marked] = []
        self.weight_gradients = 0
        self.waiting: int | None = None
        self.step_copies = 0
        self._savers = savers
        self._keeps = keeps
        self._saved = saved
        self._held: dict[Tensor, _Gradient] = {last: _Gradient(last.size.packed)}
        self._gradients = last.size.packed

    def step(self, operation: Operation, saved: set[Storage]) -> None:
        incoming = [self._held.pop(made) for made in operation.outputs if made in self._held]
        if incoming:
            if self.waiting is None and operation.saves_anything:
                self.waiting = self._gradients
            made = self._run(operation, incoming)
            for gradient in incoming:
                self._let_go(gradient)
            for tensor, gradient in made:
                if tensor in operation.wide_gradients:
                    self._narrow(gradient, tensor.size.packed, operation.name)
        self._saved -= operation.saved_aside.packed + self._savers.release(saved)
        if incoming:
            for tensor, gradient in made:
                self._hand_over(tensor, gradient, operation.name)

    def _run(
        self, operation: Operation, incoming: list[_Gradient]
    ) -> list[tuple[Tensor, _Gradient]]:
        made: list[tuple[Tensor, _Gradient]] = []
        for tensor in operation.inputs:
            if not tensor.needs_grad:
                continue
            if operation.shares_gradient(tensor):
                incoming[0].owners += 1
                incoming[0].dense = incoming[0].dense and not operation.passes_a_part_on
                made.append((tensor, incoming[0]))
            else:
                size = operation.wide_gradients.get(tensor, tensor.size).packed
                made.append((tensor, _Gradient(size, dense=not operation.gradients_are_views)))
                self._gradients += size
        self._mark(operation.name, operation.backward_scratch.packed)
        return made

    def _narrow(self, gradient: _Gradient, size: int, name: str) -> None:
        """Cast or sum a gradient to the size of its tensor."""
        self._gradients += size
        self._mark(name)
        self._gradients -= gradient.size
        gradient.size = size

    def _hand_over(self, tensor: Tensor, gradient: _Gradient, name: str) -> None:
        if tensor.is_weight:
            if self.step_copies:
                self._mark(name, gradient.size * self.step_copies)
            self._keep_weight_gradient(gradient)
            return
        waiting = self._held.get(tensor)
        if waiting is None:
            self._held[tensor] = gradient
            return
        if waiting.owners > 1 or not waiting.dense:
            total = _Gradient(tensor.size.packed)
            self._gradients += tensor.size.packed
            self._mark(name)
            self._held[tensor] = total
            self._let_go(waiting)
        self._let_go(gradient)

    def _keep_weight_gradient(self, gradient: _Gradient) -> None:
        if self._keeps:
            self.weight_gradients += gradient.size
            self._gradients -= gradient.size
        else:
            self._let_go(gradient)

    def _let_go(self, gradient: _Gradient) -> None:
        gradient.owners -= 1
        if not gradient.owners:
            self._gradients -= gradient.size

    def _mark(self, name: str, scratch: int = 0) -> None:
        total = self._saved + self._gradients + self.weight_gradients + scratch
        self.moments.append((name, total, self._saved, self.weight_gradients))
