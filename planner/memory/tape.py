"""One forward and backward pass as operations on sizes: which tensors live when.

A tape is written at the grain of PyTorch's own operations, so that autograd's rules apply to it:
a tensor lives while Python or a saved reference holds its storage, views share one, and every
operation says what it saves. `planner.memory.replay` follows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from planner.memory.replay import Pass, replay
from planner.memory.size import NOTHING, Size


class Storage:
    """Bytes that one or more tensors look at."""

    __slots__ = ("last_use", "size")

    def __init__(self, size: Size) -> None:
        self.size = size
        self.last_use = -1
        """Position of the last operation up to which Python holds it."""


class Tensor:
    """A tensor of the pass, or a weight it reads."""

    __slots__ = ("is_weight", "needs_grad", "size", "storage")

    def __init__(
        self, size: Size, *, needs_grad: bool, storage: Storage, is_weight: bool = False
    ) -> None:
        self.size = size
        self.needs_grad = needs_grad
        self.storage = storage
        self.is_weight = is_weight


_NONE: Mapping[Tensor, Size] = MappingProxyType({})


class Operation(NamedTuple):
    """One autograd node, with what it holds and what it needs while it runs."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    saved: tuple[Tensor, ...] = ()
    saves_output: bool = False
    saved_aside: Size = NOTHING
    """Bytes kept for backward that no other operation sees: masks, statistics."""
    forward_scratch: Size = NOTHING
    backward_scratch: Size = NOTHING
    wide_gradients: Mapping[Tensor, Size] = _NONE
    """Inputs whose gradient is made in another size first, and summed or cast to its own when the
    output's gradient is gone."""
    passes_gradient_on: bool = False
    """The gradient of the output is the gradient of the inputs: views and additions."""
    gradients_are_views: bool = False
    """Gradients of its inputs look at tensors of another shape: nothing is added into them."""
    only_in_training: bool = False
    """Dropout, which gives back what it is given when a model is measured."""
    passes_a_part_on: bool = False
    """The gradient of an input is a part of the output's, in the same storage: joined tensors."""

    @property
    def saves_anything(self) -> bool:
        """Whether autograd saves a tensor for it."""
        return bool(self.saved or self.saves_output or self.saved_aside)

    def shares_gradient(self, tensor: Tensor) -> bool:
        """Whether an input's gradient is the output's, or a part of its storage."""
        whole = self.passes_gradient_on and tensor.size == self.outputs[0].size
        return whole or self.passes_a_part_on


class Tape:
    """Records operations in the order they run."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.start: Tensor | None = None
        self.attributes: list[Tensor] = []
        """Tensors that nodes keep in attributes, which go with the graph, not with backward."""

    def input(self, size: Size, *, needs_grad: bool) -> Tensor:
        """The tensor that enters the pass; whoever calls the pass owns its bytes."""
        self.start = Tensor(size, needs_grad=needs_grad, storage=Storage(NOTHING))
        return self.start

    def weight(self, size: Size, *, trained: bool) -> Tensor:
        """A parameter: its own bytes are counted elsewhere, its gradient stays."""
        return Tensor(size, needs_grad=trained, storage=Storage(NOTHING), is_weight=True)

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
        wide_gradients: Mapping[Tensor, Size] = _NONE,
        gradients_are_views: bool = False,
    ) -> Tensor:
        """An operation that makes a new tensor; backward makes a gradient for each input."""
        needs_grad = any(tensor.needs_grad for tensor in inputs)
        made = Tensor(output, needs_grad=needs_grad, storage=Storage(output))
        self._record(
            Operation(
                name=name,
                inputs=tuple(inputs),
                outputs=(made,),
                saved=tuple(saves) if needs_grad else (),
                saves_output=saves_output and needs_grad,
                saved_aside=saves_aside if needs_grad else NOTHING,
                forward_scratch=forward_scratch,
                backward_scratch=backward_scratch,
                wide_gradients=wide_gradients,
                gradients_are_views=gradients_are_views,
            )
        )
        return made

    def drop(self, name: str, entering: Tensor, *, noise: Size) -> Tensor:
        """Dropout, which keeps its noise and gives back what it is given in no training."""
        made = Tensor(entering.size, needs_grad=entering.needs_grad, storage=Storage(entering.size))
        kept = noise if entering.needs_grad else NOTHING
        self._record(Operation(name, (entering,), (made,), saved_aside=kept, only_in_training=True))
        return made

    def add(self, name: str, parts: Sequence[Tensor], output: Size) -> Tensor:
        """A sum; its gradient is shared by all parts without a copy."""
        needs_grad = any(part.needs_grad for part in parts)
        made = Tensor(output, needs_grad=needs_grad, storage=Storage(output))
        self._record(Operation(name, tuple(parts), (made,), passes_gradient_on=True))
        return made

    def add_into(
        self, name: str, whole: Tensor, part: Tensor, *, saves: Sequence[Tensor] = ()
    ) -> Tensor:
        """The sum in the bytes of `whole`; its gradient is shared by both without a copy.

        A part of another size, added to some rows, gets a gradient of its own.
        """
        needs_grad = whole.needs_grad or part.needs_grad
        made = Tensor(whole.size, needs_grad=needs_grad, storage=whole.storage)
        kept = tuple(saves) if needs_grad else ()
        self._record(Operation(name, (whole, part), (made,), saved=kept, passes_gradient_on=True))
        return made

    def in_place_backward(
        self,
        name: str,
        entering: Tensor,
        output: Size,
        *,
        saves: Sequence[Tensor] = (),
        saves_aside: Size = NOTHING,
    ) -> Tensor:
        """An operation whose backward writes over the gradient it is given."""
        made = Tensor(output, needs_grad=entering.needs_grad, storage=Storage(output))
        self._record(
            Operation(
                name,
                (entering,),
                (made,),
                saved=tuple(saves),
                saved_aside=saves_aside,
                passes_gradient_on=True,
            )
        )
        return made

    def view(self, name: str, whole: Tensor, size: Size | None = None) -> Tensor:
        """The same bytes in another shape, or a part of them.

        The gradient of a part is laid into a new tensor of the whole's size.
        """
        part = whole.size if size is None else size
        made = Tensor(part, needs_grad=whole.needs_grad, storage=whole.storage)
        self._record(Operation(name, (whole,), (made,), passes_gradient_on=size is None))
        return made

    def split(self, name: str, whole: Tensor, sizes: Sequence[Size]) -> list[Tensor]:
        """Views that are the whole together; their gradients are joined in one new tensor."""
        made = [Tensor(n, needs_grad=whole.needs_grad, storage=whole.storage) for n in sizes]
        self._record(Operation(name, (whole,), tuple(made)))
        return made

    def join(self, name: str, parts: Sequence[Tensor], output: Size) -> Tensor:
        """Tensors side by side in a new one; their gradients are parts of its gradient."""
        needs_grad = any(part.needs_grad for part in parts)
        made = Tensor(output, needs_grad=needs_grad, storage=Storage(output))
        self._record(Operation(name, tuple(parts), (made,), passes_a_part_on=True))
        return made

    def keep(self, *tensors: Tensor) -> None:
        """Python still holds these tensors up to here."""
        for tensor in tensors:
            tensor.storage.last_use = len(self.operations) - 1

    def hold(self, tensor: Tensor) -> None:
        """A node keeps this tensor in an attribute: it goes with the graph, not with backward."""
        if not any(tensor is other for other in self.attributes):
            self.attributes.append(tensor)

    def _record(self, operation: Operation) -> None:
        for tensor in (*operation.inputs, *operation.outputs):
            tensor.storage.last_use = len(self.operations)
        self.operations.append(operation)

    def replay(self, *, keeps_weight_gradients: bool = True, step_copies: int = 0) -> Pass:
        """The pass's candidates for the peak.

        `keeps_weight_gradients` is False where a weight's gradient is used up at once: added to
        an older one, or stepped with inside backward.
        """
        return replay(self, keeps_weight_gradients=keeps_weight_gradients, step_copies=step_copies)
