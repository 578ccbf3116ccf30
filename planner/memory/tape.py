"""One forward and backward pass as operations on sizes: which tensors live when.

Autograd's rules, and nothing else: a tensor lives until its last user has run, or until the
backward of the last operation that saved it; a gradient lives until it was passed on; an
operation runs backward in the reverse order of its forward. Peaks are not sums, so every
moment just before something is freed is kept as a candidate, and the largest one wins once
the dimensions are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from planner.memory.size import NOTHING, Size


class Tensor:
    """A tensor of the pass."""

    __slots__ = ("last_use", "needs_grad", "savers", "size")

    def __init__(self, size: Size, needs_grad: bool) -> None:
        self.size = size
        self.needs_grad = needs_grad
        self.last_use = -1
        self.savers = 0


class Operation(NamedTuple):
    """One autograd node, with what it holds and what it needs while it runs."""

    name: str
    inputs: tuple[Tensor, ...]
    output: Tensor
    saved: tuple[Tensor, ...] = ()
    saved_aside: Size = NOTHING
    """Bytes kept for backward that no other operation sees: masks, statistics, weight casts."""
    forward_scratch: Size = NOTHING
    backward_scratch: Size = NOTHING
    weight_gradients: Size = NOTHING
    uses_weight: bool = False
    """Its backward reads a weight, which autograd saves like any other tensor."""
    passes_gradient_on: bool = False
    """The gradient of the output is the gradient of the inputs: views and additions."""

    @property
    def saves_anything(self) -> bool:
        """Whether autograd saves a tensor or a weight for it."""
        return bool(self.saved or self.saved_aside or self.uses_weight)


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
    held: Size = NOTHING
    """The share of `saved` that outlives backward, until the graph itself is let go."""


class Tape:
    """Records operations, then replays their memory."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.start: Tensor | None = None
        self._held: list[Tensor] = []

    def input(self, size: Size, *, needs_grad: bool) -> Tensor:
        """The tensor that enters the pass; whoever calls the pass owns its bytes."""
        self.start = Tensor(size, needs_grad)
        return self.start

    def run(
        self,
        name: str,
        inputs: Sequence[Tensor],
        output: Size,
        *,
        saves: Sequence[Tensor] = (),
        saves_output: bool = False,
        saves_aside: Size = NOTHING,
        forward_scratch: Size = NOTHING,
        backward_scratch: Size = NOTHING,
        weight_gradients: Size = NOTHING,
        uses_weight: bool = False,
    ) -> Tensor:
        """An operation that makes a new tensor."""
        needs_grad = bool(weight_gradients) or any(tensor.needs_grad for tensor in inputs)
        made = Tensor(output, needs_grad)
        kept = (*saves, made) if saves_output else tuple(saves)
        self._record(
            Operation(
                name=name,
                inputs=tuple(inputs),
                output=made,
                saved=kept if needs_grad else (),
                saved_aside=saves_aside if needs_grad else NOTHING,
                forward_scratch=forward_scratch,
                backward_scratch=backward_scratch,
                weight_gradients=weight_gradients,
                uses_weight=uses_weight,
                passes_gradient_on=False,
            )
        )
        return made

    def run_in_place_backward(
        self,
        name: str,
        entering: Tensor,
        output: Size,
        *,
        saves: Sequence[Tensor] = (),
        saves_aside: Size = NOTHING,
    ) -> Tensor:
        """An operation whose backward writes over the gradient it is given."""
        made = Tensor(output, entering.needs_grad)
        self._record(
            Operation(
                name=name,
                inputs=(entering,),
                output=made,
                saved=tuple(saves),
                saved_aside=saves_aside,
                passes_gradient_on=True,
            )
        )  # fmt: skip
        return made

    def add(self, left: Tensor, right: Tensor, output: Size) -> Tensor:
        """A sum; its gradient is shared by both sides without a copy."""
        made = Tensor(output, left.needs_grad or right.needs_grad)
        self._record(
            Operation(name="add", inputs=(left, right), output=made, passes_gradient_on=True)
        )
        return made

    def keep(self, *tensors: Tensor) -> None:
        """Python still holds these tensors up to here."""
        for tensor in tensors:
            tensor.last_use = len(self.operations)

    def hold(self, tensor: Tensor) -> None:
        """A node keeps this tensor in an attribute: it goes with the graph, not with backward."""
        if not any(tensor is other for other in self._held):
            self._held.append(tensor)

    def _record(self, operation: Operation) -> None:
        for tensor in operation.inputs:
            tensor.last_use = len(self.operations)
        for tensor in operation.saved:
            tensor.savers += 1
        self.operations.append(operation)

    def replay(self) -> Pass:
        """The pass's candidates for the peak."""
        forward, alive, saved = self._replay_forward()
        backward, gradients, waiting = self._replay_backward(alive, saved)
        return Pass(
            forward=_largest(forward),
            recomputed=_largest(forward[: self._last_saving()]),
            backward=_largest(backward),
            saved=saved,
            weight_gradients=gradients,
            saves_input=self.start is not None and self.start.savers > 0,
            waiting_gradients=waiting,
            held=sum((tensor.size for tensor in self._held), NOTHING),
        )

    def _last_saving(self) -> int:
        """Position of the last operation that saves something: what it reads is saved first."""
        positions = [
            position
            for position, operation in enumerate(self.operations)
            if operation.saves_anything
        ]
        return positions[-1] if positions else 0

    def _replay_forward(self) -> tuple[list[Moment], Size, Size]:
        alive = saved = NOTHING
        moments: list[Moment] = []
        living: list[Tensor] = []
        for position, operation in enumerate(self.operations):
            made = operation.output
            alive += made.size
            living.append(made)
            alive += operation.saved_aside
            saved += operation.saved_aside
            moments.append(
                Moment(operation.name, alive + operation.forward_scratch, saved, NOTHING)
            )
            for tensor in operation.saved:
                if tensor is not self.start:
                    saved = saved + tensor.size if _first_saver(self, tensor, position) else saved
            for tensor in [t for t in living if t.last_use <= position and t is not made]:
                living.remove(tensor)
                if not tensor.savers:
                    alive -= tensor.size
        # What is left in Python's hands goes when the pass returns; its result belongs to the next.
        for tensor in living:
            if not tensor.savers:
                alive -= tensor.size
        return moments, alive, saved

    def _replay_backward(self, alive: Size, saved: Size) -> tuple[list[Moment], Size, Size]:
        waiting: Size | None = None
        moments: list[Moment] = []
        kept = NOTHING
        savers = {id(t): t.savers for op in self.operations for t in op.saved}
        last = self.operations[-1].output
        alive += last.size
        owners: dict[int, int] = {0: 1}
        holder: dict[int, int] = {id(last): 0}
        sizes: dict[int, Size] = {0: last.size}
        fresh = 1
        for operation in reversed(self.operations):
            made = operation.output
            if id(made) not in holder:
                alive, saved = _release(operation, savers, self.start, alive, saved)
                continue
            incoming = holder.pop(id(made))
            if waiting is None and operation.saves_anything:
                waiting = alive - saved
            wanted = [tensor for tensor in operation.inputs if tensor.needs_grad]
            alive += operation.backward_scratch + operation.weight_gradients
            kept += operation.weight_gradients
            for tensor in wanted:
                shares = operation.passes_gradient_on and tensor.size.terms == sizes[incoming].terms
                if shares and id(tensor) not in holder:
                    holder[id(tensor)] = incoming
                    owners[incoming] += 1
                    continue
                alive += tensor.size
                if id(tensor) in holder:
                    # Added into the gradient that waits there, then dropped.
                    moments.append(Moment(operation.name, alive, saved, kept))
                    alive -= tensor.size
                    continue
                holder[id(tensor)], sizes[fresh], owners[fresh] = fresh, tensor.size, 1
                fresh += 1
            moments.append(Moment(operation.name, alive, saved, kept))
            alive -= operation.backward_scratch
            owners[incoming] -= 1
            if not owners[incoming]:
                alive -= sizes[incoming]
            alive, saved = _release(operation, savers, self.start, alive, saved)
        return moments, kept, waiting or last.size


def _first_saver(tape: Tape, tensor: Tensor, position: int) -> bool:
    return not any(tensor in earlier.saved for earlier in tape.operations[:position])


def _release(
    operation: Operation, savers: dict[int, int], start: Tensor | None, alive: Size, saved: Size
) -> tuple[Size, Size]:
    """Free what the operation saved and nobody else needs."""
    alive -= operation.saved_aside
    saved -= operation.saved_aside
    for tensor in operation.saved:
        savers[id(tensor)] -= 1
        if not savers[id(tensor)] and tensor is not start:
            alive -= tensor.size
            saved -= tensor.size
    return alive, saved


def _largest(moments: list[Moment]) -> list[Moment]:
    """Without the moments that another one exceeds whatever the dimensions are."""
    kept: list[Moment] = []
    for moment in moments:
        if any(moment.total.is_covered_by(other.total) for other in kept):
            continue
        kept = [other for other in kept if not other.total.is_covered_by(moment.total)]
        kept.append(moment)
    return kept
