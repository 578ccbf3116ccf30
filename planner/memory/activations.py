"""Activation functions on a tape, by their names in config.json."""

from __future__ import annotations

from planner.memory.layers import Layers, Value


def activated(layers: Layers, value: Value, name: str) -> Value:
    """An activation function, by its name in config.json."""
    if name == "relu":
        return layers.unary(value, "relu", saves="output")
    if name == "relu2":
        return layers.unary(layers.unary(value, "relu", saves="output"), "square", saves="input")
    if name == "gelu_new":
        return _gelu_new(layers, value)
    if name == "bloom_gelu":
        return layers.unary(value, "gelu", saves="input", backward_copies=5)
    if name == "quick_gelu":
        gate = layers.unary(layers.unary(value, "gelu.scale"), "gelu.sigmoid", saves="output")
        return layers.multiply(value, gate, "gelu.product")
    return layers.unary(value, "activation", saves="input")


def _gelu_new(layers: Layers, value: Value) -> Value:
    """0.5 x (1 + tanh(c (x + 0.044715 x ** 3))).

    On a card autocast runs pow, and so the rest, in fp32.
    """
    half = layers.unary(value, "gelu.half")
    source = layers.cast(value, 4, "gelu.float") if layers.numerics.widens else value
    cube = layers.unary(source, "gelu.pow", saves="input", backward_copies=2)
    scaled = layers.unary(cube, "gelu.scale")
    inner = layers.unary(layers.add(value, scaled, name="gelu.sum"), "gelu.root")
    tanh = layers.unary(inner, "gelu.tanh", saves="output")
    made = layers.tape.add("gelu.one", [tanh.tensor], tanh.size)
    out = layers.multiply(half, Value(made, tanh.elements, tanh.bytes), "gelu.product")
    layers.tape.keep(value.tensor)
    return out
