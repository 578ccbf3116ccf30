"""Attention kernels on a tape: what CUDA's keep and take, and products written out.

Which one PyTorch takes stands in sdp_utils.cpp: flash attention for 16-bit tensors without a
mask, the memory-efficient kernel where every query head has its own keys, plain products
otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

from planner.memory.layers import TOKENS, Layers, Value
from planner.memory.numerics import promoted
from planner.memory.size import NOTHING, Size
from planner.shape import ModelShape

SCORES = Size.of("nS") * TOKENS
OUT = Size.of("q") * TOKENS
_HEAD_ROWS = Size.of("n") * TOKENS


def flash(layers: Layers, parts: Sequence[Value], *, shares_keys: bool) -> Value:
    """Flash attention keeps its inputs, its output and one number a head and row.

    Its backward takes the fp32 sum of dQ, one number a head and row, and dK, dV per query head
    where heads share keys.
    """
    bytes_ = parts[0].bytes
    scratch = OUT * 4 + _HEAD_ROWS * 4
    if shares_keys:
        scratch += OUT * (2 * bytes_)
    return _kernel(layers, "attention", parts, aside=_HEAD_ROWS * 4, scratch=scratch)


def efficient(layers: Layers, parts: Sequence[Value], *, masked: bool) -> Value:
    """The memory-efficient kernel; a mask becomes a bias of the queries' dtype."""
    bytes_ = parts[0].bytes
    bias = Size.of("S") * TOKENS * bytes_ if masked else NOTHING
    sums = OUT * 4 if bytes_ == 2 else NOTHING
    return _kernel(
        layers, "attention", parts, aside=_HEAD_ROWS * 4 + bias, scratch=sums + _HEAD_ROWS * 4
    )


def _kernel(
    layers: Layers, name: str, parts: Sequence[Value], *, aside: Size, scratch: Size
) -> Value:
    tensors = [part.tensor for part in parts]
    made = layers.tape.run(
        name,
        tensors,
        OUT * parts[0].bytes,
        saves=tensors,
        saves_output=True,
        saves_aside=aside,
        backward_scratch=scratch,
    )
    return Value(made, OUT, parts[0].bytes)


def plain_products(
    layers: Layers, parts: Sequence[Value], *, shares_keys: bool, masked: bool, dropped: bool
) -> Value:
    """scaled_dot_product_attention written out, in fp32.

    A softmax that is safe for rows without a key looks for them and copies what it made.
    """
    entered = parts[0].bytes
    queries, keys, values = (layers.cast(part, 4, "attention.float") for part in parts)
    held = [queries.tensor, keys.tensor, values.tensor]
    queries = layers.unary(queries, "attention.scale_q")
    keys = layers.unary(keys, "attention.scale_k")
    held += [queries.tensor, keys.tensor]
    if shares_keys:
        keys, values = _spread(layers, keys), _spread(layers, values)
    else:
        queries, keys = _matrices(layers, queries), _matrices(layers, keys)
    scores = matrix_product(layers, queries, keys, SCORES, "attention.scores")
    if masked:
        scores = _plus_mask(layers, scores)
    made = layers.tape.run(
        "attention.softmax",
        [scores.tensor],
        scores.size,
        saves_output=True,
        forward_scratch=scores.size + scores.elements,
        backward_scratch=NOTHING if layers.on_cpu else scores.size,
    )
    soft = Value(made, scores.elements, scores.bytes)
    if dropped:
        soft = layers.drop(soft, "attention.dropout")
    if not shares_keys:
        values = _matrices(layers, values)
    mixed = matrix_product(layers, soft, values, OUT, "attention.mix")
    if entered != 4:
        # What it looked at, which nobody asked for, is given back beside its result.
        asked = layers.tape.run(
            "attention.back",
            [mixed.tensor],
            OUT * entered,
            forward_scratch=SCORES * entered,
        )
        mixed = Value(asked, OUT, entered)
    layers.tape.keep(*held)
    return mixed


def _spread(layers: Layers, value: Value) -> Value:
    """Keys or values copied for every query head; their gradient is summed back."""
    made = layers.tape.run(
        "attention.expand",
        [value.tensor],
        OUT * value.bytes,
        wide_gradients={value.tensor: OUT * value.bytes},
    )
    return Value(made, OUT, value.bytes)


def matrix_product(layers: Layers, left: Value, right: Value, elements: Size, name: str) -> Value:
    """A batched product; each side is saved for the gradient of the other."""
    tensors = [left.tensor, right.tensor]
    saves = [a for a, b in (tensors, reversed(tensors)) if b.needs_grad]
    made = layers.tape.run(name, tensors, elements * left.bytes, saves=saves)
    return Value(made, elements, left.bytes)


def eager(
    layers: Layers,
    shape: ModelShape,
    parts: Sequence[Value],
    *,
    shares_keys: bool,
    dropped: bool,
) -> Value:
    """Scores, softmax and products as the modelling code writes them."""
    compute = layers.numerics.compute if layers.numerics.autocast else parts[0].bytes
    queries, keys, values = parts
    queries, keys = _matrices(layers, queries), _matrices(layers, keys)
    if shares_keys:
        values = _matrices(layers, values)
        keys, values = _spread(layers, keys), _spread(layers, values)
    queries, keys = (layers.cast(each, compute, "scores.cast") for each in (queries, keys))
    scores = matrix_product(layers, queries, keys, SCORES, "scores")
    scores = layers.unary(scores, "scores.scale")
    if shape.family.softcaps_attention:
        scores = layers.unary(scores, "scores.div")
        scores = layers.unary(scores, "scores.tanh", saves="output")
        scores = layers.unary(scores, "scores.cap")
    if shape.family.kind != "image":
        scores = _plus_mask(layers, scores)
    if shape.family.softmaxes_narrow:
        soft = own_softmax(layers, scores)
    else:
        soft = _with_sinks(layers, scores) if shape.has_sinks else softmax(layers, scores)
        soft = layers.cast(soft, parts[0].bytes, "softmax.cast")
    if dropped:
        soft = layers.drop(soft, "scores.dropout")
    layers.held_by_block.append(soft.tensor)  # attention returns it beside its result
    if not shares_keys:
        values = _matrices(layers, values)
    soft, values = (layers.cast(each, compute, "mix.cast") for each in (soft, values))
    mixed = matrix_product(layers, soft, values, OUT, "mix")
    return layers.unary(mixed, "mix.contiguous")


def _matrices(layers: Layers, part: Value) -> Value:
    """Heads lie between the tokens of a row: those of several rows are copied for torch.matmul."""
    if layers.one_row:
        return part
    return layers.unary(part, "heads.copy")


def _plus_mask(layers: Layers, scores: Value) -> Value:
    """The mask has the model's dtype, which may widen the scores."""
    bytes_ = promoted(scores.bytes, layers.numerics.embeddings)
    made = layers.tape.add("scores.mask", [scores.tensor], scores.elements * bytes_)
    return Value(made, scores.elements, bytes_)


def softmax(layers: Layers, scores: Value) -> Value:
    """fp32; of fp16 in one kernel, of bf16 behind a cast (ATen's SoftMax.cpp).

    On a card backward multiplies gradient and output into a tensor of its own before it subtracts.
    """
    if not layers.numerics.half:
        scores = layers.cast(scores, 4, "softmax.float")
    aside = NOTHING if layers.on_cpu else scores.elements * 4
    made = layers.tape.run(
        "softmax", [scores.tensor], scores.elements * 4, saves_output=True, backward_scratch=aside
    )
    return Value(made, scores.elements, 4)


def own_softmax(layers: Layers, scores: Value) -> Value:
    """Of scores in their own dtype, which autocast makes fp32 on a card."""
    if layers.numerics.widens:
        return softmax(layers, scores)
    copies = 0 if layers.on_cpu else 1
    return layers.unary(scores, "softmax", saves="output", backward_copies=copies)


def _with_sinks(layers: Layers, scores: Value) -> Value:
    """One more column a row, the largest subtracted, softmax in the same dtype, the column off."""
    sink = Value(layers.tape.weight(NOTHING, trained=False), _HEAD_ROWS, layers.numerics.vectors)
    joined = layers.join([scores, sink], "sinks.join")
    largest = layers.tape.run(
        "sinks.max", [joined.tensor], _HEAD_ROWS * scores.bytes, saves_aside=_HEAD_ROWS * 8
    )
    made = layers.tape.add("sinks.less", [joined.tensor, largest], joined.size)
    less = Value(made, joined.elements, joined.bytes)
    soft = layers.unary(less, "softmax", saves="output", backward_copies=not layers.on_cpu)
    return layers.part(soft, scores.elements, "sinks.off")
