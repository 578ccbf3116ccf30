"""The first half of a block on a tape: projections, rotary embedding and the attention kernel."""

from __future__ import annotations

from collections.abc import Sequence

from hwdb.family import Linear
from planner.memory.block_settings import WIDEST_FLASH_HEAD, BlockSettings
from planner.memory.kernels import eager, efficient, flash, plain_products
from planner.memory.layers import TOKENS, Value
from planner.memory.library import Library
from planner.memory.linears import fused_linears
from planner.memory.rotary import rotated
from planner.memory.size import Size
from planner.shape import ModelShape

_QUERY_NORMS = ("q_norm", "q_layernorm")
_KEY_NORMS = ("k_norm", "k_layernorm")


class AttentionWriter:
    """Writes the attention of one family."""

    def __init__(self, layers: Library, shape: ModelShape, settings: BlockSettings) -> None:
        self.layers = layers
        self.tape = layers.tape
        self.shape = shape
        self.family = shape.family
        self.settings = settings
        self.shares_keys = shape.sizes["q"] != shape.sizes["k"]
        self.norms = {each.name: each for each in shape.norms}

    def write(self, normed: Value, entering: Sequence[Linear], leaving: Sequence[Linear]) -> Value:
        """Attention of `normed`."""
        layers = self.layers
        queries, keys, values = self._projected(normed, entering)
        queries = self._normed(queries, _QUERY_NORMS, heads="n")
        keys = self._normed(keys, _KEY_NORMS, heads="g")
        rotary = "in-place" if layers.fused else self.family.rotary
        table_bytes = 4 if self.family.rotary == "wide" else layers.numerics.embeddings
        queries, keys = rotated(layers, [queries, keys], rotary, table_bytes=table_bytes)
        out = self._attended(queries, keys, values)
        held = [normed.tensor, queries.tensor, keys.tensor, values.tensor]
        if rotary == "partial" and self.settings.attention == "sdpa" and not self.settings.masked:
            # Flash attention's result has the queries' layout: heads outside, as they were joined.
            out = layers.unary(out, "attention.contiguous")
        for line in leaving:
            if layers.fuses_adapters:
                (out,) = fused_linears(layers, out, [line])
            else:
                out = layers.linear(out, line)
        layers.tape.keep(*held)  # the frame of the attention's forward
        return out

    def _projected(self, normed: Value, entering: Sequence[Linear]) -> tuple[Value, Value, Value]:
        layers = self.layers
        if layers.fuses_adapters and len(entering) > 1:
            queries, keys, values = fused_linears(layers, normed, entering[:3])
            return queries, keys, values
        if len(entering) > 1:
            queries, keys, values = (layers.linear(normed, line) for line in entering[:3])
            return queries, keys, values
        fused = layers.linear(normed, entering[0])
        widths = [Size.of(width) * TOKENS for width in ("q", "k", "k")]
        if self.family.fused_queries == "split":
            queries, keys, values = layers.split(fused, widths, "qkv.split")
            return queries, keys, values
        queries, keys, values = (layers.part(fused, width, "qkv.part") for width in widths)
        if self.family.fused_queries == "indexed" and self.shares_keys:
            keys, values = (self._picked(fused, width) for width in widths[1:])
        return queries, keys, values

    def _picked(self, fused: Value, elements: Size) -> Value:
        """An indexing by a list copies; its gradient is laid into a tensor of the whole's size."""
        made = self.tape.run("qkv.index", [fused.tensor], elements * fused.bytes)
        return Value(made, elements, fused.bytes)

    def _normed(self, value: Value, names: Sequence[str], *, heads: str) -> Value:
        for name in names:
            if name in self.norms:
                width = Size.of(self.norms[name].width)
                by_head = self.norms[name].width == "d"
                rows = Size.of(heads) * TOKENS if by_head else TOKENS
                return self.layers.norm(value, name, width=width, rows=rows)
        return value

    def _attended(self, queries: Value, keys: Value, values: Value) -> Value:
        layers, settings = self.layers, self.settings
        dropped = self.shape.dropout("attention") > 0
        if settings.attention == "eager" or self.family.attends_eagerly:
            parts = [queries, keys, values]
            return eager(layers, self.shape, parts, shares_keys=self.shares_keys, dropped=dropped)
        half = layers.numerics.autocast or settings.attention == "flash2"
        bytes_ = 2 if half else queries.bytes
        masked = settings.masked
        parts = [queries, keys, values]
        if self._repeats_keys(masked=masked):
            parts[1:] = [self._repeated(part) for part in parts[1:]]
        parts = [layers.cast(part, bytes_) for part in parts]
        shares = self.shares_keys and not self._repeats_keys(masked=masked)
        if layers.on_cpu and dropped and settings.attention == "sdpa":
            # The CPU's kernel drops nothing (sdp_utils_cpp.h).
            return plain_products(layers, parts, shares_keys=shares, masked=masked, dropped=True)
        # These call the kernel without saying that keys are shared, which none then takes.
        unsaid = shares and self.family.fused_queries == "indexed"
        if settings.attention == "flash2" or (layers.on_cpu and not unsaid):
            return flash(layers, parts, shares_keys=shares)
        wide_head = self.shape.sizes.get("d", 0) > WIDEST_FLASH_HEAD
        if not masked and bytes_ == 2 and not wide_head and not unsaid:
            return flash(layers, parts, shares_keys=shares)
        if not shares:
            return efficient(layers, parts, masked=masked)
        return plain_products(layers, parts, shares_keys=True, masked=True, dropped=dropped)

    def _repeats_keys(self, *, masked: bool) -> bool:
        helped = self.family.fused_queries != "indexed"
        return self.shares_keys and helped and (masked or self.settings.repeats_keys)

    def _repeated(self, value: Value) -> Value:
        elements = Size.of("q") * TOKENS
        if self.shape.sizes["k"] == self.shape.sizes.get("d"):
            # A single head is only looked at again and again.
            seen = self.tape.view("repeat_kv", value.tensor, elements * value.bytes)
            return Value(seen, elements, value.bytes)
        made = self.tape.run("repeat_kv", [value.tensor], elements * value.bytes)
        return Value(made, elements, value.bytes)
