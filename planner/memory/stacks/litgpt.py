"""litgpt: its blocks, adapters and chunked loss, and what its training loop still holds.

Sources: litgpt/model.py, litgpt/lora.py, litgpt/finetune/lora.py and utils.chunked_cross_entropy
(0.4), the Bitsandbytes and Half precision of lightning.fabric, MatMul4Bit of bitsandbytes. What
differs from Transformers with PEFT:

- queries, keys and values leave one matrix; without grouped heads the values stay a view of it;
- a fused adapter that leaves one of the three out is padded by index_copy, which keeps its source;
- the head runs in chunks of 128 tokens, but every chunk's logits are kept, as Fabric turns them
  into fp32, and so is every chunk's log_softmax;
- bitsandbytes up to 0.42 keeps every linear's input, in an attribute that lives until the loss of
  the next micro-batch replaces this one's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwdb.family import Linear
from planner.memory.adapted import HEAD_NAME
from planner.memory.head import HeadBytes
from planner.memory.layers import TOKENS, Value
from planner.memory.library import Library
from planner.memory.linears import product
from planner.memory.numerics import Numerics
from planner.memory.size import NOTHING, Size
from planner.memory.stacks.loops import keeps_inputs, previous_batch_is_as_long
from planner.memory.stacks.own_model import KEYS, QUERIES, VALUES
from planner.memory.tape import Tensor
from planner.request import TrainingRequest
from planner.shape import ModelShape

_OUT = Size.of("q") * TOKENS

_CHUNK_TOKENS = 128
"""Tokens of each row whose logits are computed at once (lm_head_chunk_size)."""

_UNPACKED_BYTES = 4
"""A 4-bit matrix is unpacked to fp16, then cast."""


@dataclass(slots=True, kw_only=True)
class LitgptLayers(Library):
    """Writes litgpt's linears and adapters on a tape."""

    keeps_inputs: bool

    def base_linear(self, value: Value, line: Linear) -> Value:
        """The linear alone; old 4-bit ones keep their input."""
        inputs, outputs = Size.of(line.inputs), Size.of(line.outputs)
        return self._product(value, line.name, inputs * outputs, outputs * TOKENS)

    def _product(self, value: Value, name: str, matrix: Size, elements: Size) -> Value:
        numerics = self.numerics
        if not numerics.quantized:
            return product(self, value, self.weight(matrix, numerics.weights), elements, name)
        computed = self.cast(value, numerics.compute, f"{name}.cast")
        unpacked = matrix * _UNPACKED_BYTES
        out = self.tape.run(
            name,
            [computed.tensor],
            elements * numerics.compute,
            saves=[computed.tensor] if self.keeps_inputs else [],
            forward_scratch=unpacked,
            backward_scratch=unpacked,
        )
        if self.keeps_inputs:
            self.tape.hold(computed.tensor)
        return Value(out, elements, numerics.compute)

    def with_adapter(self, value: Value, base: Value, line: Linear) -> Value:
        """What the linear made of `value`, and what its adapter adds."""
        grown = self._low_rank(value, line.name, Size.of("r"), Size.of(line.outputs))
        scaled = self.unary(Value(grown, base.elements, base.bytes), f"{line.name}.scaling")
        return self.add(base, scaled)

    def _low_rank(self, value: Value, name: str, rank: Size, outputs: Size) -> Tensor:
        """B(A(dropout(x))); `rank` counts one for every part of a fused matrix."""
        numerics = self.numerics
        assert numerics.adapters is not None
        entering = self.cast(value, numerics.compute, f"{name}.lora_cast")
        if self.dropout:
            entering = self.drop(entering, f"{name}.dropout")
        down = self.tape.weight(_width(entering) * rank * numerics.adapters, trained=True)
        reduced = self.tape.run(
            f"{name}.lora_A",
            [entering.tensor, down],
            rank * TOKENS * entering.bytes,
            saves=[entering.tensor, down],
        )
        up = self.tape.weight(outputs * Size.of("r") * numerics.adapters, trained=True)
        return self.tape.run(
            f"{name}.lora_B",
            [reduced, up],
            outputs * TOKENS * entering.bytes,
            saves=[reduced, up],
        )

    def fused_qkv(self, value: Value) -> Value:
        """Queries, keys and values from one matrix, with adapters on some or all of them."""
        width = Size.of("q+2k")
        base = self._product(value, "qkv", Size.of("h") * width, width * TOKENS)
        parts = [line for line in (QUERIES, KEYS, VALUES) if line.name in self.adapted]
        if not parts:
            return base
        outputs = NOTHING
        for line in parts:
            outputs += Size.of(line.outputs)
        grown = self._low_rank(value, "qkv", Size.of("r") * len(parts), outputs)
        if len(parts) < 3:
            grown = self.tape.run("qkv.zero_pad", [grown], base.size, saves=[grown])
        scaled = self.unary(Value(grown, base.elements, base.bytes), "qkv.scaling")
        return self.add(base, scaled)


def _width(value: Value) -> Size:
    """Elements a token."""
    return Size.from_terms(
        {product.replace("N", "", 1): count for product, count in value.elements.terms.items()}
    )


class LitgptAttention:
    """Writes CausalSelfAttention on a tape."""

    def __init__(self, layers: LitgptLayers, shape: ModelShape) -> None:
        self.layers = layers
        self.tape = layers.tape
        self.grouped = shape.sizes["q"] != shape.sizes["k"]
        self.soft_capped = shape.family.model_type == "gemma2"
        """Its scores pass a tanh, which no kernel computes."""

    def write(self, normed: Value, _entering: Sequence[Linear], leaving: Sequence[Linear]) -> Value:
        """Attention of `normed`."""
        qkv = self.layers.fused_qkv(normed)
        size = _OUT * qkv.bytes
        queries = self._rotate("q", qkv, size)
        keys_size = size if self.grouped else Size.of("k") * TOKENS * qkv.bytes
        keys = self._rotate("k", qkv, keys_size)
        # Grouped keys and values are repeated; otherwise the values are a view of all three.
        values = self.tape.run("repeat_v", [qkv.tensor], size) if self.grouped else qkv.tensor
        parts = [queries, keys, values]
        if self.soft_capped:
            out = self._capped(parts, qkv.bytes)
        else:
            out = self.tape.run(
                "attention",
                parts,
                size,
                saves=parts,
                saves_output=True,
                saves_aside=Size.of("4n") * TOKENS,
                backward_scratch=Size.of("4q+4n") * TOKENS,
            )
        # The kernel's result has its heads outside: joining them copies it.
        merged = self.tape.run("merge_heads", [out], size)
        result = Value(merged, _OUT, qkv.bytes)
        for layer in leaving:
            result = self.layers.linear(result, layer)
        return result

    def _rotate(self, name: str, qkv: Value, size: Size) -> Tensor:
        # cos and sin are fp32, so both products and their sum are.
        wide = size * (4 // qkv.bytes)
        return self.tape.run(
            f"rope_{name}", [qkv.tensor], size, forward_scratch=wide * 3, backward_scratch=wide * 2
        )

    def _capped(self, parts: Sequence[Tensor], bytes_: int) -> Tensor:
        queries, keys, values = parts
        scores = Size.of("nNS")
        capped = self.tape.run(
            "scores",
            [queries, keys],
            scores * bytes_,
            saves=[queries, keys],
            saves_output=True,
            forward_scratch=scores * bytes_,
        )
        soft = self.tape.run(
            "softmax", [capped], scores * 4, saves_output=True, backward_scratch=scores * 4
        )
        narrow = self.tape.run("softmax.cast", [soft], scores * bytes_) if bytes_ == 2 else soft
        return self.tape.run("mix", [narrow, values], _OUT * bytes_, saves=[narrow, values])


def head_bytes(shape: ModelShape, numerics: Numerics, request: TrainingRequest) -> HeadBytes:
    """The last norm, the head in chunks and the loss over the list of them."""
    tokens, hidden, vocabulary = request.tokens, shape.hidden_size, shape.vocabulary_size
    logits = tokens * vocabulary
    unpacked = _UNPACKED_BYTES * vocabulary * hidden if numerics.quantized else 0
    narrow = numerics.compute if numerics.compute == 2 else 0  # fp32 logits stay what they are
    # The list of the micro-batch before is let go when this one's is returned.
    before = 4 * logits if previous_batch_is_as_long(request) else 0
    adapts_head = request.adapter is not None and HEAD_NAME in request.adapter.targets
    return HeadBytes(
        saved=_saved_by_head(request, numerics, hidden, adapts_head=adapts_head),
        forward=max(
            numerics.compute * logits + before + unpacked,
            (narrow + 4) * logits + before,
            8 * logits,
        ),
        backward=8 * logits + _first_chunks_backward(request, vocabulary, unpacked, narrow),
    )


def _first_chunks_backward(
    request: TrainingRequest, vocabulary: int, unpacked: int, narrow: int
) -> int:
    """Most bytes on top while the last chunk, and the full one before it, are differentiated.

    The gradients of nll_loss and log_softmax stand side by side; then the chunk's log_softmax is
    gone, its gradient is cast and the head is unpacked.
    """
    length = request.sequence_tokens
    last_tokens = length % _CHUNK_TOKENS or min(length, _CHUNK_TOKENS)
    row = request.micro_batch * vocabulary
    last = row * last_tokens
    most = max(8 * last, unpacked + (narrow - 4) * last)
    if length > last_tokens:
        full = row * _CHUNK_TOKENS
        most = max(most, -4 * last + max(8 * full, unpacked + (narrow - 4) * full))
    return most


def _saved_by_head(
    request: TrainingRequest, numerics: Numerics, hidden: int, *, adapts_head: bool
) -> int:
    kept = 4 * hidden + 4
    if request.method == "full":
        kept += 2 * numerics.compute * hidden
    if keeps_inputs(request):
        kept += numerics.compute * hidden
    if adapts_head:
        dropout = request.adapter is not None and request.adapter.dropout > 0
        kept += numerics.compute * hidden + (hidden if dropout else 0)
    return request.tokens * kept
