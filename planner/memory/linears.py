"""Linear layers and their adapters on a tape.

Sources: the LoRA layers of PEFT (input cast to the adapter's dtype, dropout, scaling), DoRA's
weight norm, Linear4bit and Linear8bitLt of bitsandbytes.
"""

from __future__ import annotations

from collections.abc import Sequence

from hwdb.family import Linear
from planner.memory.layers import Layers, Value
from planner.memory.size import NOTHING, Size
from planner.request import TrainingRequest


def base_linear(layers: Layers, value: Value, line: Linear) -> Value:
    """A linear layer without its adapter."""
    if layers.numerics.quantized:
        return _quantized(layers, value, line)
    weight = layers.weight(_matrix(line), layers.numerics.weights)
    return product(layers, value, weight, Size.of(line.outputs) * layers.rows, line.name)


def product(layers: Layers, value: Value, weight: Value, elements: Size, name: str) -> Value:
    """Value x weight in the compute dtype; autocast's copies are saved like what they copy."""
    compute = layers.numerics.compute
    entering = layers.cast(value, compute, f"{name}.cast")
    matrix = layers.cast(weight, compute, f"{name}.weight_cast")
    out = layers.tape.run(
        name,
        [entering.tensor, matrix.tensor],
        elements * compute,
        saves=[
            *([matrix.tensor] if entering.tensor.needs_grad else ()),
            *([entering.tensor] if matrix.tensor.needs_grad else ()),
        ],
        gradients_are_views=True,
    )
    return Value(out, elements, compute)


def _quantized(layers: Layers, value: Value, line: Linear) -> Value:
    """Bitsandbytes returns its input's dtype, and saves nothing for a frozen weight."""
    numerics = layers.numerics
    elements = Size.of(line.outputs) * layers.rows
    if numerics.int8:
        return _int8(layers, value, line)
    entering = layers.cast(value, numerics.compute, f"{line.name}.cast")
    unpacked = _matrix(line) * numerics.compute
    out = layers.tape.run(
        line.name,
        [entering.tensor],
        elements * numerics.compute,
        forward_scratch=unpacked,
        backward_scratch=unpacked,
    )
    computed = Value(out, elements, numerics.compute)
    return layers.cast(computed, value.bytes, f"{line.name}.back")


def _int8(layers: Layers, value: Value, line: Linear) -> Value:
    """LLM.int8: rows quantized, int32 products, fp16 result; backward unpacks the weight twice."""
    elements = Size.of(line.outputs) * layers.rows
    entering = value.elements
    narrow = NOTHING if value.bytes == 2 else elements * 2
    out = layers.tape.run(
        line.name,
        [value.tensor],
        elements * value.bytes,
        saves=[] if layers.saves_past_checkpoints else [value.tensor],
        forward_scratch=entering + elements * 4 + narrow,
        backward_scratch=_matrix(line) * (2 * value.bytes),
    )
    layers.tape.hold(value.tensor)
    return Value(out, elements, value.bytes)


def passes_checkpoints(request: TrainingRequest) -> bool:
    """Whether linears keep their input where checkpoints do not see it.

    bitsandbytes' 8-bit product does, in an attribute of its node (autograd/_functions.py,
    MatMul8bitLt); a reentrant checkpoint makes no nodes in forward.
    """
    within = request.checkpointing != "none" and not request.reentrant_checkpoints
    return within and request.weights == "int8"


def with_adapter(layers: Layers, value: Value, base: Value, line: Linear) -> Value:
    """PEFT's LoRA layer: what the linear made of `value`, and B(A(dropout(value))) scaled."""
    numerics = layers.numerics
    assert numerics.adapters is not None
    # PEFT's layers over quantized weights leave the cast to autocast; they ask for a card's only.
    own_cast = not (numerics.quantized and numerics.autocast) or layers.on_cpu
    entering = value
    if own_cast:
        entering = layers.cast(value, numerics.adapters, f"{line.name}.lora_cast")
    dropped = layers.drop(entering, f"{line.name}.dropout") if layers.dropout else entering
    grown = adapter_products(layers, dropped, line)
    scaled = layers.unary(grown, f"{line.name}.scaling")
    if own_cast and numerics.quantized:
        scaled = layers.cast(scaled, base.bytes, f"{line.name}.lora_back")
    total = layers.add(base, scaled, name=f"{line.name}.lora_add")
    layers.tape.keep(entering.tensor, base.tensor)
    return layers.cast(total, base.bytes, f"{line.name}.lora_back")


def adapter_products(layers: Layers, value: Value, line: Linear) -> Value:
    """B(A(value)), in 16 bit under autocast."""
    numerics = layers.numerics
    assert numerics.adapters is not None
    work = 2 if numerics.autocast else numerics.adapters
    rank = Size.of("r")
    for width, side in ((line.inputs, "A"), (line.outputs, "B")):
        name = f"{line.name}.lora_{side}"
        entering = layers.cast(value, work, f"{name}.cast")
        elements = Size.of(width) * rank
        matrix = layers.tape.weight(elements * numerics.adapters, trained=True)
        if work != numerics.adapters:
            matrix = layers.tape.run(f"{name}.weight_cast", [matrix], elements * work)
        made = (rank if side == "A" else Size.of(line.outputs)) * layers.rows
        out = layers.tape.run(
            name,
            [entering.tensor, matrix],
            made * work,
            saves=[entering.tensor, *([matrix] if entering.tensor.needs_grad else ())],
            gradients_are_views=True,
        )
        value = Value(out, made, work)
    return value


def fused_linears(layers: Layers, value: Value, lines: Sequence[Linear]) -> list[Value]:
    """Linears of one input with their adapters as one operation.

    Each keeps its dropped-out copy, and no mask.
    """
    numerics = layers.numerics
    copies = sum(line.name in layers.adapted for line in lines) if layers.dropout else 0
    unpacked = _matrix(lines[0]) * numerics.compute
    adapters = [
        layers.tape.weight(_adapter_elements(line) * (numerics.adapters or 0), trained=True)
        for line in lines
        if line.name in layers.adapted
    ]
    made = []
    for line in lines:
        elements = Size.of(line.outputs) * layers.rows
        inputs = [value.tensor, *(adapters if line is lines[0] else ())]
        out = layers.tape.run(
            f"{line.name}.fused",
            inputs,
            elements * value.bytes,
            saves=[value.tensor] if line is lines[0] else (),
            saves_aside=value.size * copies if line is lines[0] else NOTHING,
            forward_scratch=unpacked if line is lines[0] else NOTHING,
            backward_scratch=unpacked + value.size * 2 if line is lines[0] else NOTHING,
        )
        made.append(Value(out, elements, value.bytes))
    return made


def _matrix(line: Linear) -> Size:
    return Size.of(line.inputs) * Size.of(line.outputs)


def _adapter_elements(line: Linear) -> Size:
    return (Size.of(line.inputs) + Size.of(line.outputs)) * Size.of("r")
