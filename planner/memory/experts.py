"""A mixture of experts on a tape, as one grouped product over the rows routed to each expert.

Every token becomes X rows: transformers' grouped_mm_experts_forward (integrations/moe.py) sorts
them by expert, takes gate and up together, the gated product, the way back, weighs and sums.
"""

from __future__ import annotations

from collections.abc import Sequence

from hwdb.family import Experts
from planner.memory.adapted import EXPERTS
from planner.memory.layers import TOKENS, Layers, Value
from planner.memory.library import Library
from planner.memory.linears import product
from planner.memory.size import Size
from planner.memory.tape import Tensor

ROWS = Size.of("X") * TOKENS
"""Rows of all experts together."""
INDEX_BYTES = 8
"""Of the number of a row, an expert or a choice."""


def mixture(library: Library, normed: Value, experts: Experts) -> Value:
    """What the experts of each token make of it."""
    layers, tape = library, library.tape
    weights = _router(layers, normed, experts)
    rows = picked(layers, normed, ROWS * Size.of("h"), "experts.sort")
    sorted_weights = picked(layers, weights, ROWS, "experts.sort_weights")
    both, bias = _grouped(layers, rows, "h", "2e", "experts.gate_up", experts)
    inner = _gate_of_gpt_oss(layers, both) if experts.clamped else _gate(library, both)
    back, last_bias = _grouped(layers, inner, "e", "h", "experts.down", experts, before=bias)
    weighted = layers.multiply(back, sorted_weights, "experts.weigh")
    ordered = picked(layers, weighted, weighted.elements, "experts.reorder")
    elements = Size.of("h") * TOKENS
    summed = tape.run("experts.sum", [ordered.tensor], elements * ordered.bytes)
    # The frame of the forward.
    tape.keep(normed.tensor, rows.tensor, sorted_weights.tensor, *last_bias)
    return layers.cast(Value(summed, elements, ordered.bytes), normed.bytes, "experts.back")


def _router(layers: Layers, normed: Value, experts: Experts) -> Value:
    """The weights of a token's experts, in the dtype that its family leaves them in."""
    matrix = layers.weight(Size.of("hE"), layers.numerics.vectors)
    logits = product(layers, normed, matrix, Size.of("E") * TOKENS, "router")
    if experts.router_dtype == "compute":
        chosen = _top(layers, logits)
        return layers.unary(chosen, "router.softmax", saves="output")
    if experts.router_dtype == "wide":
        chosen = _top(layers, layers.cast(logits, 4, "router.float"))
        shared = layers.unary(chosen, "router.softmax", saves="output")
        return layers.cast(shared, normed.bytes, "router.cast")
    shared = share_among_all(layers, logits)
    return shared if experts.router_dtype == "fp32" else layers.cast(shared, logits.bytes)


def share_among_all(layers: Layers, logits: Value) -> Value:
    """A softmax over all experts in fp32, and what the chosen ones have of their sum."""
    probabilities = layers.tape.run(
        "router.softmax", [logits.tensor], logits.elements * 4, saves_output=True
    )
    chosen = _top(layers, Value(probabilities, logits.elements, 4))
    return layers.unary(chosen, "router.share", saves="input")


def _top(layers: Layers, values: Value) -> Value:
    made = layers.tape.run(
        "router.top_k", [values.tensor], ROWS * values.bytes, saves_aside=ROWS * INDEX_BYTES
    )
    return Value(made, ROWS, values.bytes)


def picked(layers: Layers, value: Value, elements: Size, name: str, *, rows: Size = ROWS) -> Value:
    """Rows by their numbers, which are kept; backward sorts them."""
    numbers = layers.tape.run(f"{name}.numbers", [], rows * INDEX_BYTES)
    made = layers.tape.run(
        name,
        [value.tensor, numbers],
        elements * value.bytes,
        saves=[numbers],
        backward_scratch=rows * (4 * INDEX_BYTES),
    )
    return Value(made, elements, value.bytes)


def _grouped(
    layers: Layers,
    rows: Value,
    inputs: str,
    outputs: str,
    name: str,
    experts: Experts,
    *,
    before: Sequence[Tensor] = (),
) -> tuple[Value, list[Tensor]]:
    """A product in the weights' own dtype, which autocast does not touch, and its bias by rows.

    The variable that held the bias `before` holds this one from here on.
    """
    weight = layers.weight(
        Size.of(inputs) * Size.of(outputs) * Size.of("E"), layers.numerics.vectors
    )
    entering = layers.cast(rows, weight.bytes, f"{name}.cast")
    elements = Size.of(outputs) * ROWS
    bias = []
    if experts.biases:
        width = Size.of(outputs) * Size.of("E")
        table = layers.weight(width, layers.numerics.vectors)
        bias = [picked(layers, Value(table.tensor, width, weight.bytes), elements, name).tensor]
        layers.tape.keep(*before)
    matrix = weight.tensor
    if EXPERTS in layers.adapted:
        matrix = _with_adapters(layers, weight, inputs, outputs, name)
    made = layers.tape.run(
        name,
        [entering.tensor, matrix],
        elements * weight.bytes,
        saves=[matrix, *([entering.tensor] if matrix.needs_grad else ())],
    )
    layers.tape.keep(*bias)
    return Value(made, elements, weight.bytes), bias


def _with_adapters(layers: Layers, weight: Value, inputs: str, outputs: str, name: str) -> Tensor:
    """The weights of all experts with their adapters added in, as PEFT's ParamWrapper makes them.

    The adapters are cast to the weights' dtype first, and what is made has a gradient as large.
    """
    adapters = layers.numerics.adapters or 0
    ranks = Size.of("r") * Size.of("E") * (2 if outputs == "2e" else 1)
    factors = []
    for side in (inputs, outputs):
        elements = Size.of(side) * ranks
        factor = layers.tape.weight(elements * adapters, trained=True)
        made = layers.cast(Value(factor, elements, adapters), weight.bytes, f"{name}.lora_cast")
        factors.append(made.tensor)
    return layers.tape.run(f"{name}.merged", [weight.tensor, *factors], weight.size, saves=factors)


def _gate(library: Library, both: Value) -> Value:
    half = both.elements.half()
    gate, up = library.split(both, [half, half], "experts.split")
    return library.gate(library.activate(gate), up)


def _gate_of_gpt_oss(layers: Layers, both: Value) -> Value:
    """(up + 1) * gate * sigmoid(alpha * gate), both clamped."""
    half = both.elements.half()
    gate, up = (layers.part(both, half, f"experts.{side}") for side in ("gate", "up"))
    gate = layers.unary(gate, "experts.clamp_gate", saves="input")
    up = layers.unary(up, "experts.clamp_up", saves="input")
    scaled = layers.unary(gate, "experts.alpha")
    open_ = layers.unary(scaled, "experts.sigmoid", saves="output")
    glu = layers.multiply(gate, open_, "experts.glu")
    plus_one = Value(layers.tape.add("experts.one", [up.tensor], up.size), up.elements, up.bytes)
    out = layers.multiply(plus_one, glu, "experts.product")
    layers.tape.keep(gate.tensor, up.tensor)  # the frame of the gate
    return out
