"""Rotary position embeddings on a tape, as each family writes them."""

from __future__ import annotations

from hwdb.family import Rotary
from planner.memory.layers import TOKENS, Layers, Value
from planner.memory.numerics import promoted
from planner.memory.size import NOTHING, Size


def rotated(layers: Layers, values: list[Value], style: Rotary, *, table_bytes: int) -> list[Value]:
    """Queries and keys turned by their positions. `table_bytes` is the dtype of the tables."""
    if style == "none":
        return values
    if style == "in-place":
        return values  # fused kernels write over their input
    if style == "partial":
        return _partial(layers, values, table_bytes)
    if style == "chunked":
        return [_chunked(layers, value, table_bytes) for value in values]
    bytes_ = [value.bytes for value in values]
    if style == "paired":
        values = [layers.cast(value, 4, "rope.float") for value in values]
    turned = [_turned(layers, value, table_bytes, style) for value in values]
    if style in ("paired", "wide", "floated"):
        return [
            layers.cast(value, width, "rope.back")
            for value, width in zip(turned, bytes_, strict=True)
        ]
    return turned


def _turned(layers: Layers, value: Value, table_bytes: int, style: Rotary) -> Value:
    """Value * cos + rotate_half(value) * sin."""
    floated = layers.cast(value, 4, "rope.float") if style == "floated" else value
    straight = _by_table(layers, floated, table_bytes, "rope.cos")
    value = layers.cast(value, 4, "rope.float") if style == "floated" else value
    half = value.elements.half()
    first = layers.part(value, half, "rope.first")
    second = layers.part(value, half, "rope.second")
    negative = layers.unary(second, "rope.negative")
    across = layers.join([negative, first], f"rope.{style}")
    layers.tape.keep(first.tensor, second.tensor)
    crossed = _by_table(layers, across, table_bytes, "rope.sin")
    return layers.add(straight, crossed, name="rope.sum")


def _by_table(layers: Layers, value: Value, table_bytes: int, name: str) -> Value:
    table = layers.tape.weight(NOTHING, trained=False)
    bytes_ = promoted(value.bytes, table_bytes)
    out = value.elements * bytes_
    made = layers.tape.run(
        name,
        [value.tensor],
        out,
        saves=[table],
        wide_gradients={value.tensor: out} if bytes_ > value.bytes else {},
    )
    return Value(made, value.elements, bytes_)


def _partial(layers: Layers, values: list[Value], table_bytes: int) -> list[Value]:
    """The first numbers of a head are turned; the rest is put behind them in a new tensor."""
    parts = []
    for value, heads in zip(values, ("n", "g"), strict=True):
        turning = Size.of(heads) * Size.of("p") * TOKENS
        rest = Size.of(heads) * Size.of("u") * TOKENS
        parts.append((
            layers.part(value, turning, "rope.turning"),
            layers.part(value, rest, "rope.rest"),
        ))  # fmt: skip
    turned = [_turned(layers, turning, table_bytes, "partial") for turning, _ in parts]
    return [
        layers.join([value, rest], "rope.join")
        for value, (_, rest) in zip(turned, parts, strict=True)
    ]


def _chunked(layers: Layers, value: Value, table_bytes: int) -> Value:
    """Two halves turned apart and put together again."""
    half = value.elements.half()
    first, second = layers.split(value, [half, half], "rope.halves")
    products = [
        [_by_table(layers, side, table_bytes, "rope.table") for side in sides]
        for sides in ((first, second), (second, first))
    ]
    sums = [layers.add(*pair, name="rope.sum") for pair in products]
    return layers.join(sums, "rope.join")
