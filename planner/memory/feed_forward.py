"""The second half of a block on a tape: a gated or plain MLP, or a mixture of experts."""

from __future__ import annotations

from collections.abc import Sequence

from hwdb.family import Experts, Linear
from planner.memory.layers import Layers, Value, activation
from planner.memory.size import NOTHING, Size

_PYTHON_GELU = ("gelu_new", "gelu_fast", "quick_gelu", "gelu_python")
"""Activations written in Python: each product on the way is kept."""


def mlp(
    layers: Layers, normed: Value, entering: Sequence[Linear], leaving: Linear, *, gated: bool
) -> Value:
    """down(act(gate(x)) * up(x)), or down(act(up(x)))."""
    inner = [layers.linear(normed, layer) for layer in entering]
    width = Size.of(leaving.inputs)
    if gated:
        # One fused linear holds gate and up side by side; its halves are views of it.
        product = layers.gate(inner[0], inner[-1], width)
    else:
        product = _activate(layers, inner[0], width)
    out = layers.linear(product, leaving)
    layers.tape.keep(normed.tensor)  # the frame of the MLP's forward
    return out


def _activate(layers: Layers, value: Value, width: Size) -> Value:
    if layers.activation in _PYTHON_GELU and layers.numerics.autocast:
        return _wide_gelu(layers, value, width)
    size = activation(width, value.bytes)
    aside, scratch = NOTHING, NOTHING
    if layers.activation in _PYTHON_GELU:
        # tanh's result and the two factors of the last product.
        aside, scratch = size * 3, size * 2
    out = layers.tape.run(
        "activation",
        [value.tensor],
        size,
        saves=[value.tensor],
        saves_aside=aside,
        backward_scratch=scratch,
    )
    return Value(tensor=out, width=width, bytes=value.bytes)


def _wide_gelu(layers: Layers, value: Value, width: Size) -> Value:
    """A GELU written in Python under autocast, which runs pow in fp32 and all that follows."""
    wide, narrow = activation(width, 4), activation(width, value.bytes)
    out = layers.tape.run(
        "activation",
        [value.tensor],
        wide,
        # The cast input, tanh, its sum with one; half the input.
        saves_aside=wide * 3 + narrow,
        forward_scratch=wide,
        backward_scratch=wide * 2,
    )
    return Value(tensor=out, width=width, bytes=4)


def mixture(layers: Layers, normed: Value, experts: Experts) -> Value:
    """A mixture of experts as one grouped product over the rows routed to each expert.

    Every token becomes X rows. transformers' grouped_mm_experts_forward: the sorted copy of the
    input, gate and up together, the gated product, the way back, weighting and the sum.
    """
    tape, bytes_ = layers.tape, normed.bytes
    routed = Size.of("X")
    router = tape.run("router", [normed.tensor], Size.of("NE") * 4, saves_output=True)
    weights = tape.run("top_k", [router], Size.of("NX") * bytes_)
    rows = tape.run("sort_rows", [normed.tensor], activation(routed * Size.of("h"), bytes_))
    both = tape.run(
        "experts.gate_up",
        [rows],
        activation(routed * Size.of("2e"), bytes_),
        saves=[rows] if layers.base_trained else [],
        weight_gradients=_expert_gradients(layers, experts.linears[0]),
    )
    size = activation(routed * Size.of("e"), bytes_)
    active = tape.run("experts.activation", [both], size, saves=[both])
    product = tape.run("experts.product", [active, both], size, saves=[active, both])
    wide = activation(routed * Size.of("h"), bytes_)
    back = tape.run(
        "experts.down",
        [product],
        wide,
        saves=[product] if layers.base_trained else [],
        weight_gradients=_expert_gradients(layers, experts.linears[-1]),
    )
    tape.keep(normed.tensor, rows)
    weighted = tape.run("experts.weigh", [back, weights], wide, saves=[back, weights])
    ordered = tape.run("experts.reorder", [weighted], wide)
    out = tape.run("experts.sum", [ordered], activation("h", bytes_))
    return Value(tensor=out, width=Size.of("h"), bytes=bytes_)


def _expert_gradients(layers: Layers, layer: Linear) -> Size:
    if not layers.base_trained:
        return NOTHING
    return Size.of(layer.inputs) * Size.of(layer.outputs) * Size.of("E") * layers.numerics.weights
