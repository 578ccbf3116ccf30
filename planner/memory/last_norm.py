"""The norm behind the last block with what reads its result, as a pass of its own."""

from __future__ import annotations

from typing import NamedTuple

from planner.memory.batch_bytes import BatchBytes, PassBytes, PassTotals, widths_of
from planner.memory.layers import TOKENS, Value
from planner.memory.library import Library
from planner.memory.linears import product
from planner.memory.numerics import Numerics
from planner.memory.replay import Pass
from planner.memory.size import NOTHING, Size
from planner.memory.tape import Tape
from planner.request import TrainingRequest
from planner.shape import ModelShape


class LastNorm(NamedTuple):
    """The pass in numbers."""

    block: PassBytes
    stream: BatchBytes
    """What leaves the last block; the model's forward holds it until the norm is done."""
    normed_bytes: int
    """Bytes an element of what leaves the norm."""

    @property
    def saved(self) -> BatchBytes:
        """Kept until backward."""
        return self.block.saved + self.stream if self.block.saves_input else self.block.saved

    def forward(self, tokens: int, length: int) -> int:
        """Most bytes alive in its forward beyond those that are kept."""
        most = self.block.forward.largest(tokens, length).total_bytes
        return most + (self.stream - self.saved).at(tokens, length)

    def backward(self, tokens: int, length: int) -> int:
        """Most bytes alive in its backward beyond those that are kept."""
        most = self.block.backward.largest(tokens, length).total_bytes
        return most - self.block.saved.at(tokens, length)


def last_norm(
    shape: ModelShape, request: TrainingRequest, numerics: Numerics, stream_bytes: int
) -> LastNorm:
    """The norm, and the head's product or the rows with a label that a loss copies."""
    key = (
        numerics, stream_bytes, request.method, request.trainable_layers is None, request.loss,
        request.task, request.device, request.fused_kernels, shape.family.norm_style,
        shape.activation,
    )  # fmt: skip
    known = _by_kind.get(key)
    if known is None:
        known = _by_kind[key] = _written(shape, request, numerics, stream_bytes)
    block, normed_bytes = known
    widths = widths_of(shape.sizes, r=0)
    stream = BatchBytes(per_token=shape.hidden_size * stream_bytes)
    return LastNorm(PassBytes(PassTotals(block, widths), widths), stream, normed_bytes)


_by_kind: dict[object, tuple[Pass, int]] = {}
"""Written once for all models that differ only in sizes."""


def _written(
    shape: ModelShape, request: TrainingRequest, numerics: Numerics, stream_bytes: int
) -> tuple[Pass, int]:
    tape = Tape()
    library = Library(
        tape=tape,
        numerics=numerics,
        trained=request.method == "full" and request.trainable_layers is None,
        adapted=frozenset(),
        dropout=False,
        dora=False,
        on_cpu=request.device == "cpu",
        fused=request.fused_kernels,
        norm_style=shape.family.norm_style,
        activation=shape.activation,
    )
    elements = Size.of("h") * TOKENS
    stream = Value(tape.input(elements * stream_bytes, needs_grad=True), elements, stream_bytes)
    normed = library.norm(stream, "final_norm")
    if request.task != "causal-lm":
        library.trained = True
        few = library.weight(NOTHING, numerics.compute)  # classes are few
        product(library, normed, few, NOTHING, "score")
    elif request.loss in ("torch", "triton"):
        library.trained = request.method == "full"
        weight = library.weight(Size.of("hV"), numerics.head_weights)
        product(library, normed, weight, Size.of("V") * TOKENS, "head")
    else:
        # Rows with a label are copied and kept, and so is Liger's copy of the weight.
        copies = normed.size
        if request.loss == "liger" and numerics.head_weights != numerics.compute:
            copies += Size.of("hV") * numerics.compute
        tape.run("labelled", [normed.tensor], TOKENS, saves_aside=copies)
    return tape.replay(), normed.bytes
