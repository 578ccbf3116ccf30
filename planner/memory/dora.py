"""PEFT's DoRA on a tape: a learned length for every row of the adapted weight.

Source: peft/tuners/lora/dora.py and variants.py, DoraLinearLayer.forward. To know the lengths it
builds the whole weight of the adapter from an identity matrix in every forward pass, which is
most of what DoRA needs beyond LoRA: square in the width, whatever the batch.
"""

from __future__ import annotations

from hwdb.family import Linear
from planner.memory.layers import Layers, Value
from planner.memory.linears import adapter_products
from planner.memory.size import Size
from planner.memory.tape import Tensor

MAGNITUDE_BYTES = 4
"""Of a learned length."""


def with_dora(layers: Layers, value: Value, base: Value, line: Linear) -> Value:
    """What the linear made of `value`, rescaled row by row, and what its adapter adds."""
    numerics, tape = layers.numerics, layers.tape
    assert numerics.adapters is not None
    # PEFT's layers over quantized weights leave the cast to autocast.
    own_cast = not (numerics.quantized and numerics.autocast) or layers.on_cpu
    entering = value
    if own_cast:
        entering = layers.cast(value, numerics.adapters, f"{line.name}.lora_cast")
    dropped = layers.drop(entering, f"{line.name}.dropout") if layers.dropout else entering
    adapter, whole = _whole_weights(layers, line, dropped.bytes)
    length = _length(layers, line, adapter, whole)
    grown = adapter_products(layers, dropped, line)
    kept = base
    if layers.dropout:
        kept = _dropped_product(layers, dropped, whole, base.elements, f"{line.name}.dropped")
    elif line.name in layers.biased:
        kept = layers.unary(base, f"{line.name}.without_bias")
    rescaled = layers.multiply(kept, length, f"{line.name}.rescaled")
    lengthened = layers.multiply(grown, length, f"{line.name}.lengthened")
    scaled = layers.unary(lengthened, f"{line.name}.scaling")
    change = layers.add(rescaled, scaled, name=f"{line.name}.dora")
    tape.keep(adapter[0], *adapter[1:], whole.tensor, kept.tensor, grown.tensor, dropped.tensor)
    total = layers.add(base, change, name=f"{line.name}.lora_add")
    tape.keep(entering.tensor, base.tensor)
    return layers.cast(total, base.bytes, f"{line.name}.lora_back") if own_cast else total


def _dropped_product(
    layers: Layers, dropped: Value, whole: Value, elements: Size, name: str
) -> Value:
    """What the whole weight makes of the dropped-out input; both have one dtype."""
    work = layers.numerics.compute if layers.numerics.autocast else dropped.bytes
    entering = layers.cast(dropped, work, f"{name}.cast")
    matrix = layers.cast(whole, work, f"{name}.weight_cast")
    saves = [matrix.tensor] if entering.tensor.needs_grad else []
    made = layers.tape.run(
        name,
        [entering.tensor, matrix.tensor],
        elements * work,
        saves=saves,
        gradients_are_views=True,
    )
    return Value(made, elements, work)


def _whole_weights(layers: Layers, line: Linear, to_bytes: int) -> tuple[list[Tensor], Value]:
    """B(A(identity)) with what its graph holds, and the base weight; both in the input's dtype."""
    numerics, tape, name = layers.numerics, layers.tape, line.name
    assert numerics.adapters is not None
    work = 2 if numerics.autocast else numerics.adapters
    square = Size.of(line.inputs) * Size.of(line.inputs)
    matrix = Size.of(line.inputs) * Size.of(line.outputs)
    identity = Value(
        tape.run(f"{name}.identity", [], square * numerics.adapters), square, numerics.adapters
    )
    saved = layers.cast(identity, work, f"{name}.identity_cast")
    narrow = tape.run(f"{name}.whole_A", [saved.tensor], Size.of(line.inputs) * Size.of("r") * work)
    made = Value(tape.run(f"{name}.whole_B", [narrow], matrix * work), matrix, work)
    tape.keep(identity.tensor)
    adapter = layers.cast(made, to_bytes, f"{name}.whole_cast")
    if numerics.quantized:
        # int8 is unpacked in fp32.
        unpacked = 4 if numerics.int8 else numerics.compute
        whole = Value(tape.run(f"{name}.unpacked", [], matrix * unpacked), matrix, unpacked)
    else:
        whole = layers.weight(matrix, numerics.weights)
    whole = layers.cast(whole, to_bytes, f"{name}.whole_base_cast")
    return [adapter.tensor, saved.tensor, narrow], whole


def _length(layers: Layers, line: Linear, adapter: list[Tensor], whole: Value) -> Value:
    """The learned length of every row over the one it has, which gets no gradient."""
    tape, name = layers.tape, line.name
    tape.keep(whole.tensor)
    scaled = tape.run(f"{name}.whole_scaled", [adapter[0]], whole.size)
    summed = tape.run(f"{name}.whole_sum", [scaled, whole.tensor], whole.size)
    rows = Size.of(line.outputs)
    measured = tape.run(f"{name}.length", [summed], rows * whole.bytes)
    # Whatever the adapter's dtype: they move by less than 16 bit can hold.
    magnitude = tape.weight(rows * MAGNITUDE_BYTES, trained=True)
    size = rows * MAGNITUDE_BYTES
    made = tape.run(f"{name}.magnitude", [magnitude], size, saves=[measured])
    return Value(made, rows, MAGNITUDE_BYTES)
