"""Tensors with a dtype, and the operations all layers are made of, on a tape.

What each operation saves and makes in backward is that of PyTorch's derivatives.yaml; the engine
casts a gradient to the dtype of its tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import NamedTuple

from planner.memory.numerics import Numerics, promoted
from planner.memory.size import NOTHING, Size
from planner.memory.tape import Tape, Tensor

TOKENS = Size.of("N")


class Value(NamedTuple):
    """A tensor on the tape with its number of elements and bytes an element."""

    tensor: Tensor
    elements: Size
    bytes: int

    @property
    def size(self) -> Size:
        """Its bytes."""
        return self.elements * self.bytes


@dataclass(slots=True, kw_only=True)
class Layers:
    """Writes operations on a tape."""

    tape: Tape
    numerics: Numerics
    trained: bool
    """Whether the base model's weights are trained."""
    adapted: frozenset[str]
    """Names of linears that carry an adapter."""
    dropout: bool
    """Whether adapters drop a part of their input."""
    dora: bool
    """Whether adapters learn the length of every row of their linear."""
    biased: frozenset[str] = frozenset()
    """Names of linears that add a bias."""
    rows: Size = TOKENS
    """How many rows linears read."""
    saves_past_checkpoints: bool = False
    """Whether 8-bit products keep their input where checkpoints do not see it."""
    one_row: bool = False
    """Whether a batch is one row, whose heads are matrices as they lie."""
    held_by_block: list[Tensor] = field(default_factory=list)
    """What the frame of the block's forward holds to its end."""
    on_cpu: bool
    fused: bool
    """Triton kernels: norms keep their input as it is, adapters over 4-bit weights run as one."""

    @property
    def fuses_adapters(self) -> bool:
        """Whether adapters over 4-bit weights run with their linear as one operation."""
        return self.fused and self.numerics.quantized and bool(self.adapted) and not self.dora

    def weight(self, elements: Size, bytes_: int) -> Value:
        """A parameter of the base model."""
        return Value(self.tape.weight(elements * bytes_, trained=self.trained), elements, bytes_)

    def cast(self, value: Value, to_bytes: int, name: str = "cast") -> Value:
        """`value` in another dtype; itself when it has that dtype already."""
        if value.bytes == to_bytes:
            return value
        made = self.tape.run(name, [value.tensor], value.elements * to_bytes)
        return Value(made, value.elements, to_bytes)

    def unary(
        self, value: Value, name: str, *, saves: str = "nothing", backward_copies: int = 0
    ) -> Value:
        """An operation on each element that saves "nothing", its "input" or its "output"."""
        made = self.tape.run(
            name,
            [value.tensor],
            value.size,
            saves=[value.tensor] if saves == "input" else (),
            saves_output=saves == "output",
            backward_scratch=value.size * backward_copies,
        )
        return Value(made, value.elements, value.bytes)

    def add(self, *values: Value, name: str = "add") -> Value:
        """A sum of tensors of one shape, from left to right."""
        total = values[0]
        for value in values[1:]:
            bytes_ = promoted(total.bytes, value.bytes)
            made = self.tape.add(name, [total.tensor, value.tensor], total.elements * bytes_)
            total = Value(made, total.elements, bytes_)
        return total

    def multiply(self, left: Value, right: Value, name: str) -> Value:
        """A product; `right` may be one number a row. Each side is saved for the other's gradient.

        The gradient of the narrower side is a full product before it is summed or cast.
        """
        bytes_ = promoted(left.bytes, right.bytes)
        out = left.elements * bytes_
        saves = [
            mine.tensor for mine, other in ((left, right), (right, left)) if other.tensor.needs_grad
        ]
        made = self.tape.run(
            name,
            [left.tensor, right.tensor],
            out,
            saves=saves,
            wide_gradients={side.tensor: out for side in (left, right) if side.size != out},
        )
        return Value(made, left.elements, bytes_)

    def drop(self, value: Value, name: str) -> Value:
        """Dropout: a mask on a card; the CPU keeps its noise in the dtype of the input."""
        noise = value.elements * (value.bytes if self.on_cpu else 1)
        made = self.tape.drop(name, value.tensor, noise=noise)
        return Value(made, value.elements, value.bytes)

    def view(self, value: Value, name: str) -> Value:
        """The same elements in another shape."""
        return Value(self.tape.view(name, value.tensor), value.elements, value.bytes)

    def part(self, value: Value, elements: Size, name: str) -> Value:
        """A slice, which looks at the bytes of the whole."""
        made = self.tape.view(name, value.tensor, elements * value.bytes)
        return Value(made, elements, value.bytes)

    def split(self, value: Value, parts: Sequence[Size], name: str) -> list[Value]:
        """Slices that are the whole together."""
        made = self.tape.split(name, value.tensor, [part * value.bytes for part in parts])
        return [Value(tensor, part, value.bytes) for tensor, part in zip(made, parts, strict=True)]

    def join(self, values: Sequence[Value], name: str) -> Value:
        """Tensors side by side in a new one."""
        elements = NOTHING
        for value in values:
            elements += value.elements
        bytes_ = reduce(promoted, [value.bytes for value in values])
        made = self.tape.join(name, [value.tensor for value in values], elements * bytes_)
        return Value(made, elements, bytes_)
