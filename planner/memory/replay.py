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
from typing import TYPE_CHECKING, NamedTuple

from planner.memory.size import NOTHING, Size

if TYPE_CHECKING:
    from planner.memory.tape import Operation, Storage, Tape, Tensor


class Moment(NamedTuple):
    """What is alive at one moment, beyond what was alive when the pass began."""

    name: str
    total: Size
    saved: Size
    """The share of `total` kept for backward."""
    weight_gradients: Size
    """The share of `total` that stays after the pass."""


class Pass(NamedTuple):
    """The moments of one pass that no other moment always exceeds."""

    forward: list[Moment]
    recomputed: list[Moment]
    """Forward up to the last operation that saves: there a checkpoint stops computing again."""
    backward: list[Moment]
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


def replay(tape: Tape, *, keeps_weight_gradients: bool) -> Pass:
    """Follow a tape's operations forward and backward."""
    operations, start = tape.operations, tape.start
    savers = _Savers(operations, start)
    forward = _Forward(savers)
    for position, operation in enumerate(operations):
        forward.step(position, operation)
    backward = _Backward(
        savers, operations[-1].outputs[0], forward.saved, keeps=keeps_weight_gradients
    )
    for operation in reversed(operations):
        backward.step(operation)
    return Pass(
        forward=largest(forward.moments),
        recomputed=largest(forward.moments[: _stop(operations)]),
        backward=largest(backward.moments),
        saved=forward.saved.whole(),
        weight_gradients=backward.weight_gradients.whole(),
        saves_input=savers.input_saved,
        waiting_gradients=(backward.waiting or NOTHING).whole(),
        held=sum((tensor.size for tensor in tape.attributes), NOTHING).whole(),
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

    def __init__(self, operations: Sequence[Operation], start: Tensor | None) -> None:
        self._count: dict[Storage, int] = {}
        for operation in operations:
            for storage in saved_storages(operation):
                self._count[storage] = self._count.get(storage, 0) + 1
        self.input_saved = start is not None and start.storage in self._count

    def holds(self, storage: Storage) -> bool:
        """Whether it is kept for backward."""
        return storage in self._count

    def release(self, operation: Operation) -> Size:
        """The bytes that go once the operation ran backward."""
        freed = operation.saved_aside
        for storage in saved_storages(operation):
            self._count[storage] -= 1
            if not self._count[storage]:
                freed += storage.size
        return freed


def saved_storages(operation: Operation) -> set[Storage]:
    """What an operation keeps for backward."""
    storages = {tensor.storage for tensor in operation.saved}
    if operation.saves_output:
        storages.add(operation.outputs[0].storage)
    return storages


class _Forward:
    def __init__(self, savers: _Savers) -> None:
        self.moments: list[Moment] = []
        self.saved = NOTHING
        self._alive = NOTHING
        self._savers = savers
        self._living: dict[Storage, None] = {}
        self._kept: set[Storage] = set()

    def step(self, position: int, operation: Operation) -> None:
        for made in operation.outputs:
            if made.storage not in self._living and not _given(made, operation):
                self._living[made.storage] = None
                self._alive += made.storage.size
        self._alive += operation.saved_aside
        self.saved += operation.saved_aside
        for storage in saved_storages(operation) - self._kept:
            self._kept.add(storage)
            self.saved += storage.size
        self.moments.append(
            Moment(operation.name, self._alive + operation.forward_scratch, self.saved, NOTHING)
        )
        for storage in [each for each in self._living if each.last_use <= position]:
            del self._living[storage]
            if not self._savers.holds(storage):
                self._alive -= storage.size


def _given(made: Tensor, operation: Operation) -> bool:
    """Whether an output looks at the bytes of an input."""
    return any(made.storage is tensor.storage for tensor in operation.inputs)


class _Gradient:
    """Bytes of a gradient, and how many tensors it is the gradient of."""

    __slots__ = ("dense", "owners", "size")

    def __init__(self, size: Size, *, dense: bool = True) -> None:
        self.size = size
        self.owners = 1
        self.dense = dense


class _Backward:
    def __init__(self, savers: _Savers, last: Tensor, saved: Size, *, keeps: bool) -> None:
        self.moments: list[Moment] = []
        self.weight_gradients = NOTHING
        self.waiting: Size | None = None
        self._savers = savers
        self._keeps = keeps
        self._saved = saved
        self._held: dict[Tensor, _Gradient] = {last: _Gradient(last.size)}
        self._gradients = last.size

    def step(self, operation: Operation) -> None:
        incoming = [self._held.pop(made) for made in operation.outputs if made in self._held]
        if incoming:
            if self.waiting is None and operation.saves_anything:
                self.waiting = self._gradients
            made = self._run(operation, incoming)
            for gradient in incoming:
                self._let_go(gradient)
            for tensor, gradient in made:
                if tensor in operation.wide_gradients:
                    self._narrow(gradient, tensor.size, operation.name)
        self._saved -= self._savers.release(operation)
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
                size = operation.wide_gradients.get(tensor, tensor.size)
                made.append((tensor, _Gradient(size, dense=not operation.gradients_are_views)))
                self._gradients += size
        self._mark(operation.name, operation.backward_scratch)
        return made

    def _narrow(self, gradient: _Gradient, size: Size, name: str) -> None:
        """Cast or sum a gradient to the size of its tensor."""
        self._gradients += size
        self._mark(name, NOTHING)
        self._gradients -= gradient.size
        gradient.size = size

    def _hand_over(self, tensor: Tensor, gradient: _Gradient, name: str) -> None:
        if tensor.is_weight:
            self._keep_weight_gradient(gradient)
            return
        waiting = self._held.get(tensor)
        if waiting is None:
            self._held[tensor] = gradient
            return
        if waiting.owners > 1 or not waiting.dense:
            total = _Gradient(tensor.size)
            self._gradients += tensor.size
            self._mark(name, NOTHING)
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

    def _mark(self, name: str, scratch: Size) -> None:
        total = self._saved + self._gradients + self.weight_gradients + scratch
        self.moments.append(Moment(name, total, self._saved, self.weight_gradients))


def largest(moments: Sequence[Moment]) -> list[Moment]:
    """Without the moments that another one exceeds whatever the dimensions are."""
    # A size covers only what is no larger where every dimension is 1, so from the largest on
    # nothing that was kept has to go again.
    moments = _turns(moments)
    sums = [sum(moment.total.terms.values()) for moment in moments]
    kept: list[int] = []
    for number in sorted(range(len(moments)), key=lambda number: -sums[number]):
        total = moments[number].total
        if not any(total.is_covered_by(moments[other].total) for other in kept):
            kept.append(number)
    return [_whole(moments[number]) for number in sorted(kept)]


def _turns(moments: Sequence[Moment]) -> list[Moment]:
    """Without those that a neighbour exceeds: most moments only lead to the next one."""
    turns: list[Moment] = []
    for moment in moments:
        while turns and turns[-1].total.is_covered_by(moment.total):
            if moment.total.is_covered_by(turns[-1].total):
                break  # the first of equal ones stands for all
            turns.pop()
        if not turns or not moment.total.is_covered_by(turns[-1].total):
            turns.append(moment)
    return turns


def _whole(moment: Moment) -> Moment:
    total, saved, gradients = moment.total, moment.saved, moment.weight_gradients
    return Moment(moment.name, total.whole(), saved.whole(), gradients.whole())
