"""torchtune: its decoder, compiled where its recipes compile it, and its losses.

Sources: torchtune 0.3 to 0.6, modules/attention.py, rms_norm.py, transformer.py, peft/lora.py,
loss/ce_chunked_output_loss.py; optimizers of torchao. What differs from Transformers with PEFT:

- keys and values are repeated for every query head before the kernel;
- adapters have the weights' dtype and share their linear's input;
- the chunked loss is compiled, which keeps logits of all chunks in 16 bit and nothing in fp32;
  recipes that ask for it compile the layers too, which keeps norms and the gated product without
  fp32 copies;
- AdamW is the fused one; 8-bit AdamW is torchao's, which computes in fp32 on the tensor it is at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwdb.family import Linear
from planner.memory.head import HeadBytes
from planner.memory.layers import TOKENS, Value
from planner.memory.library import Library
from planner.memory.numerics import Numerics
from planner.memory.size import NOTHING, Size
from planner.memory.stacks.loops import is_compiled
from planner.memory.tape import Tensor
from planner.request import TrainingRequest
from planner.shape import ModelShape

_OUT = Size.of("q") * TOKENS

_CHUNKS = 8
"""CEWithChunkedOutputLoss cuts every row in as many pieces."""


@dataclass(slots=True, kw_only=True)
class TorchtuneLayers(Library):
    """Writes norms and the gated product as the compiler fuses them."""

    compiled: bool

    def norm(
        self, value: Value, name: str, *, width: Size | None = None, rows: Size = TOKENS
    ) -> Value:
        """A normalization; compiled, it keeps its input as it is."""
        if not self.compiled or self.norm_style == "layer":
            return Library.norm(self, value, name, width=width, rows=rows)
        weight = self.weight(Size.of("h") if width is None else width, self.numerics.norm_weights)
        out = self.tape.run(
            name,
            [value.tensor, weight.tensor],
            value.size,
            saves=[value.tensor],
            saves_aside=rows * 4,
        )
        return Value(out, value.elements, value.bytes)

    def activate(self, gate: Value) -> Value:
        """act(gate); compiled, it and its product with up are one kernel."""
        return gate if self.compiled else Library.activate(self, gate)


class TorchtuneAttention:
    """Writes MultiHeadAttention on a tape."""

    def __init__(self, layers: TorchtuneLayers, shape: ModelShape) -> None:
        self.layers = layers
        self.tape = layers.tape
        self.grouped = shape.sizes["q"] != shape.sizes["k"]

    def write(self, normed: Value, entering: Sequence[Linear], leaving: Sequence[Linear]) -> Value:
        """Attention of `normed`."""
        queries, keys, values = (self.layers.linear(normed, layer) for layer in entering)
        parts = [
            self._rotate("q", queries),
            self._repeat("k", self._rotate("k", keys), keys.bytes),
            self._repeat("v", values.tensor, values.bytes),
        ]
        out = self.tape.run(
            "attention",
            parts,
            _OUT * queries.bytes,
            saves=parts,
            saves_output=True,
            saves_aside=Size.of("4n") * TOKENS,
            backward_scratch=Size.of("4q+4n") * TOKENS,
        )
        result = Value(out, _OUT, queries.bytes)
        for layer in leaving:
            result = self.layers.linear(result, layer)
        self.tape.keep(normed.tensor)
        return result

    def _rotate(self, name: str, value: Value) -> Tensor:
        wide = NOTHING if self.layers.compiled else value.elements * 4
        return self.tape.run(
            f"rope_{name}",
            [value.tensor],
            value.size,
            forward_scratch=wide * 2,
            backward_scratch=wide * 2,
        )

    def _repeat(self, name: str, tensor: Tensor, bytes_: int) -> Tensor:
        if not self.grouped:
            return tensor
        return self.tape.run(f"repeat_{name}", [tensor], _OUT * bytes_)


def head_bytes(shape: ModelShape, numerics: Numerics, request: TrainingRequest) -> HeadBytes:
    """The last norm, the output layer and the loss."""
    tokens, hidden, vocabulary = request.tokens, shape.hidden_size, shape.vocabulary_size
    logits, table = tokens * vocabulary, vocabulary * hidden * numerics.weights
    trained = request.method == "full"
    kept = 4 * hidden + 4
    if trained:
        kept += 2 * numerics.compute * hidden
    if not is_compiled(request):
        # The recipe lets go of the fp32 logits before backward.
        return HeadBytes(saved=tokens * kept, forward=8 * logits, backward=12 * logits)
    narrow = numerics.compute * logits
    backward = narrow
    if trained:
        # The first two chunks' gradients of the table and their sum.
        backward = max(narrow + table, narrow * (_CHUNKS - 1) // _CHUNKS + 3 * table)
    last = numerics.compute * hidden * tokens
    return HeadBytes(
        saved=tokens * kept,
        forward=narrow + last,
        # A checkpoint holds the last block's output.
        backward=backward + (last if request.checkpointing == "full" else 0),
    )
