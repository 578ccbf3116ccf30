"""Norms on a tape, as the modelling code of transformers writes them."""

from __future__ import annotations

from hwdb.family import NormStyle
from planner.memory.layers import Layers, Value
from planner.memory.size import Size


def normalized(
    layers: Layers,
    value: Value,
    style: NormStyle,
    name: str,
    *,
    width: Size,
    rows: Size,
) -> Value:
    """A normalization over the last dimension, `width`, of `rows` rows."""
    if style == "layer":
        return _layer_norm(layers, value, name, rows, weights=width * 2)
    if style == "layer-wide":
        wide = layers.cast(value, 4, f"{name}.float")
        out = _layer_norm(layers, wide, name, rows, weights=None)
        return layers.cast(out, value.bytes, f"{name}.back")
    if layers.fused:
        return _fused(layers, value, name, rows)
    wide = layers.cast(value, 4, f"{name}.float")
    if style == "centered":
        means = _row_means(layers, wide, rows, f"{name}.mean")
        squared = _less(layers, wide, means, f"{name}.deviation")
        deviation = _less(layers, wide, means, f"{name}.centered")
    else:
        squared = deviation = wide
    scaled = _scale_rows(layers, squared, deviation, rows, name)
    weight = layers.weight(width, layers.numerics.norm_weights)
    if style == "cast-then-weight":
        back = layers.cast(scaled, value.bytes, f"{name}.back")
        out = layers.multiply(back, weight, f"{name}.weight")
    else:
        out = layers.multiply(scaled, layers.cast(weight, 4), f"{name}.weight")
        out = layers.cast(out, value.bytes, f"{name}.back")
    layers.tape.keep(value.tensor)
    return out


def _scale_rows(layers: Layers, squared: Value, deviation: Value, rows: Size, name: str) -> Value:
    """Deviation / sqrt(mean(squared ** 2))."""
    squares = layers.tape.run(
        f"{name}.pow",
        [squared.tensor],
        squared.size,
        saves=[squared.tensor],
        backward_scratch=squared.size * 2,
    )
    mean = layers.tape.run(f"{name}.mean", [squares], rows * 4)
    root = layers.tape.run(f"{name}.rsqrt", [mean], rows * 4, saves_output=True)
    return layers.multiply(deviation, Value(root, rows, 4), name)


def _row_means(layers: Layers, value: Value, rows: Size, name: str) -> Value:
    return Value(layers.tape.run(name, [value.tensor], rows * 4), rows, 4)


def _less(layers: Layers, value: Value, means: Value, name: str) -> Value:
    """Value - means: the gradient of the means is a negated copy before it is summed."""
    out = layers.tape.run(
        name,
        [value.tensor, means.tensor],
        value.size,
        wide_gradients={means.tensor: value.size},
    )
    return Value(out, value.elements, value.bytes)


def _layer_norm(
    layers: Layers, value: Value, name: str, rows: Size, *, weights: Size | None
) -> Value:
    # Autocast runs layer_norm in fp32 on a card.
    source = layers.cast(value, 4, f"{name}.float") if layers.numerics.widens else value
    inputs = [source.tensor]
    if weights is not None:
        weight = layers.weight(weights, layers.numerics.norm_weights)
        inputs.append(layers.cast(weight, source.bytes).tensor)
    out = layers.tape.run(name, inputs, source.size, saves=[source.tensor], saves_aside=rows * 8)
    layers.tape.keep(value.tensor)
    return Value(out, source.elements, source.bytes)


def _fused(layers: Layers, value: Value, name: str, rows: Size) -> Value:
    out = layers.tape.in_place_backward(
        name, value.tensor, value.size, saves=[value.tensor], saves_aside=rows * 4
    )
    return Value(out, value.elements, value.bytes)
