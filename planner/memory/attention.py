"""The first half of a block on a tape: projections, rotary embedding and the attention kernel."""

from __future__ import annotations

from collections.abc import Sequence

from hwdb.family import Linear
from planner.memory.layers import Layers, Value, activation
from planner.memory.size import NOTHING, Size
from planner.request import TrainingRequest

OLD_TRANSFORMERS = (4, 99)
"""Up to here keys and values were repeated for every query head before any attention kernel."""


class AttentionWriter:
    """Writes the attention of one family and request."""

    def __init__(
        self,
        layers: Layers,
        request: TrainingRequest,
        *,
        rotates: bool,
        norms_heads: bool,
        keeps_scores: bool,
    ) -> None:
        self.layers = layers
        self.tape = layers.tape
        self.request = request
        self.rotates = rotates
        self.norms_heads = norms_heads
        self.keeps_scores = keeps_scores
        """No fused kernel is taken: the scores of every head are kept."""

    def write(self, normed: Value, entering: Sequence[Linear], leaving: Sequence[Linear]) -> Value:
        """Attention of `normed`."""
        queries, keys, values = self._project(normed, entering)
        if self.norms_heads:
            queries = self.layers.norm(queries, "q_norm")
            keys = self.layers.norm(keys, "k_norm")
        if self.rotates:
            queries = self._rotate(queries, "rope_q")
            keys = self._rotate(keys, "rope_k")
        out = self._attend(queries, keys, values)
        for layer in leaving:
            if self.layers.fuses_adapters:
                (out,) = self.layers.fused_linears(out, [layer])
            else:
                out = self.layers.linear(out, layer)
        self.tape.keep(normed.tensor)  # the frame of the attention's forward
        return out

    def _project(self, normed: Value, entering: Sequence[Linear]) -> tuple[Value, Value, Value]:
        if len(entering) == 1:
            fused = self.layers.linear(normed, entering[0])
            queries, keys, values = (
                Value(tensor=fused.tensor, width=Size.of(width), bytes=fused.bytes)
                for width in ("q", "k", "k")
            )
            return queries, keys, values
        if self.layers.fuses_adapters:
            queries, keys, values = self.layers.fused_linears(normed, entering[:3])
        else:
            queries, keys, values = (self.layers.linear(normed, layer) for layer in entering[:3])
        return queries, keys, values

    def _rotate(self, value: Value, name: str) -> Value:
        if self.layers.fused:
            return value  # written over its input
        size = activation(value.width, value.bytes)
        rotated = self.tape.run(
            name, [value.tensor], size, forward_scratch=size * 2, backward_scratch=size * 2
        )
        return Value(tensor=rotated, width=value.width, bytes=value.bytes)

    def _attend(self, queries: Value, keys: Value, values: Value) -> Value:
        half = self.layers.numerics.compute == 2 or self.request.attention == "flash2"
        kernel_bytes = 2 if half else 4
        parts = [self.layers.cast(part, kernel_bytes) for part in (queries, keys, values)]
        if self._repeats_keys():
            parts[1:] = [self._repeat(part) for part in parts[1:]]
        if self.keeps_scores:
            return self._eager(parts, kernel_bytes)
        repeated_gradients = NOTHING if self._repeats_keys() else activation("2q", kernel_bytes)
        bias = Size.of("NS") * kernel_bytes if self._is_masked() else NOTHING
        out = self.tape.run(
            "attention",
            [part.tensor for part in parts],
            activation("q", kernel_bytes),
            saves=[part.tensor for part in parts],
            saves_output=True,
            saves_aside=activation("4n", 1) + bias,
            # Flash backward: the fp32 sum of dQ, one number a head and row, and dK, dV per query
            # head where heads share keys.
            backward_scratch=activation("4q+4n", 1) + repeated_gradients,
        )
        return Value(tensor=out, width=Size.of("q"), bytes=kernel_bytes)

    def _repeats_keys(self) -> bool:
        version = self.request.transformers_version
        return self._is_masked() or (version is not None and version < OLD_TRANSFORMERS)

    def _is_masked(self) -> bool:
        """Whether padding makes sdpa take a mask, as a bias a block and keys for every head."""
        return self.request.padded and self.request.attention == "sdpa"

    def _repeat(self, value: Value) -> Value:
        out = self.tape.run("repeat_kv", [value.tensor], activation("q", value.bytes))
        return Value(tensor=out, width=Size.of("q"), bytes=value.bytes)

    def _eager(self, parts: Sequence[Value], kernel_bytes: int) -> Value:
        queries, keys, values = (part.tensor for part in parts)
        scores = Size.of("nNS")
        products = self.tape.run(
            "scores",
            [queries, keys],
            scores * kernel_bytes,
            saves=[queries, keys],
            forward_scratch=scores * kernel_bytes,
        )
        soft = self.tape.run(
            "softmax",
            [products],
            scores * 4,
            saves_output=True,
            forward_scratch=scores * 4,
            backward_scratch=scores * 4,
        )
        narrow = soft
        if kernel_bytes == 2:
            narrow = self.tape.run("softmax.cast", [soft], scores * kernel_bytes)
        out = self.tape.run(
            "mix", [narrow, values], activation("q", kernel_bytes), saves=[narrow, values]
        )
        return Value(tensor=out, width=Size.of("q"), bytes=kernel_bytes)
