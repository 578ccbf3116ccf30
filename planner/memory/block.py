"""One transformer block, written on a tape operation by operation."""

from __future__ import annotations

from collections.abc import Iterable

from hwdb.family import Family, Linear
from planner.memory.layers import Layers, Value, activation
from planner.memory.numerics import numerics_of
from planner.memory.size import NOTHING, Size
from planner.memory.tape import Pass, Tape
from planner.request import TrainingRequest

OLD_TRANSFORMERS = (4, 99)
"""Up to here keys and values were repeated for every query head before any attention kernel."""


def block_pass(
    family: Family, linears: tuple[Linear, ...], request: TrainingRequest, adapted: frozenset[str]
) -> Pass:
    """The candidates of one block's forward and backward.

    `linears` are those that exist in this model; `adapted` names those with an adapter.
    """
    numerics = numerics_of(request)
    tape = Tape()
    stream = Value(
        tensor=tape.input(activation("h", numerics.stream), needs_grad=True),
        width=Size.of("h"),
        bytes=numerics.stream,
    )
    layers = Layers(
        tape=tape,
        numerics=numerics,
        base_trained=request.method == "full",
        adapted=adapted,
        dropout=bool(request.adapter and request.adapter.dropout),
        fused=request.fused_kernels,
        norm_kind=family.norm_kind,
    )
    writer = _Block(layers, family, linears, request)
    if family.parallel_residual:
        writer.parallel(stream)
    else:
        writer.sequential(stream)
    return tape.replay()


class _Block:
    """Writes attention and MLP of a family."""

    def __init__(
        self, layers: Layers, family: Family, linears: tuple[Linear, ...], request: TrainingRequest
    ) -> None:
        self.layers = layers
        self.tape = layers.tape
        self.family = family
        self.request = request
        self.by_role = {
            role: [layer for layer in linears if layer.role == role]
            for role in ("attention_in", "attention_out", "mlp_in", "mlp_out")
        }
        self.norm_names = [norm.name for norm in family.norms]

    # -- the two ways a block joins its halves -------------------------------------------------

    def sequential(self, stream: Value) -> None:
        for half in (self.attention, self.mlp):
            branch = half(self._norm_before(stream))
            branch = self._norm_after(branch)
            total = self.tape.add(
                stream.tensor, branch.tensor, activation("h", max(stream.bytes, branch.bytes))
            )
            stream = Value(tensor=total, width=stream.width, bytes=max(stream.bytes, branch.bytes))

    def parallel(self, stream: Value) -> None:
        normed = self._norm_before(stream)
        first = self.attention(normed)
        second = self.mlp(normed)
        both = self.tape.add(first.tensor, second.tensor, activation("h", first.bytes))
        self.tape.add(both, stream.tensor, activation("h", max(stream.bytes, first.bytes)))

    def _norm_before(self, stream: Value) -> Value:
        if self._has_norm("post_feedforward_layernorm") and not self._has_norm("input_layernorm"):
            return stream
        return self.layers.norm(stream, "norm_before")

    def _norm_after(self, branch: Value) -> Value:
        if not self._has_norm("post_feedforward_layernorm"):
            return branch
        return self.layers.norm(branch, "norm_after")

    def _has_norm(self, name: str) -> bool:
        return name in self.norm_names

    # -- attention ----------------------------------------------------------------------------

    def attention(self, normed: Value) -> Value:
        """Projections, rotary embedding, the attention kernel and the output projection."""
        queries, keys, values = self._project(normed)
        if self._has_norm("q_norm"):
            queries = self.layers.norm(queries, "q_norm")
            keys = self.layers.norm(keys, "k_norm")
        if self._rotates():
            queries = self._rotate(queries, "rope_q")
            keys = self._rotate(keys, "rope_k")
        self.tape.keep(normed.tensor)
        mixed = self._attend(queries, keys, values)
        out = mixed
        for layer in self.by_role["attention_out"]:
            if self.layers.fuses_adapters:
                (out,) = self.layers.fused_linears(mixed, [layer])
            else:
                out = self.layers.linear(mixed, layer)
        return out

    def _project(self, normed: Value) -> tuple[Value, Value, Value]:
        layers = self.by_role["attention_in"]
        if self.layers.fuses_adapters and len(layers) == 3:
            queries, keys, values = self.layers.fused_linears(normed, layers)
            return queries, keys, values
        if len(layers) == 1:
            fused = self.layers.linear(normed, layers[0])
            return tuple(
                Value(tensor=fused.tensor, width=Size.of(width), bytes=fused.bytes)
                for width in ("q", "k", "k")
            )  # type: ignore[return-value]
        queries, keys, values = (self.layers.linear(normed, layer) for layer in layers[:3])
        return queries, keys, values

    def _rotates(self) -> bool:
        return not any(table.name in _POSITION_TABLES for table in self.family.embeddings)

    def _rotate(self, value: Value, name: str) -> Value:
        if self.layers.fused:
            return value  # written over its input
        size = activation(value.width, value.bytes)
        rotated = self.tape.run(
            name, [value.tensor], size, forward_scratch=size * 2, backward_scratch=size * 2
        )
        return Value(tensor=rotated, width=value.width, bytes=value.bytes)

    def _attend(self, queries: Value, keys: Value, values: Value) -> Value:
        numerics = self.layers.numerics
        kernel_bytes = 2 if numerics.compute == 2 or self.request.attention == "flash2" else 4
        parts = [self.layers.cast(part, kernel_bytes) for part in (queries, keys, values)]
        if self._repeats_keys():
            parts[1:] = [self._repeat(part) for part in parts[1:]]
        if self.request.attention == "eager":
            return self._eager(parts, kernel_bytes)
        repeated_gradients = NOTHING if self._repeats_keys() else activation("2q", kernel_bytes)
        out = self.tape.run(
            "attention",
            [part.tensor for part in parts],
            activation("q", kernel_bytes),
            saves=[part.tensor for part in parts],
            saves_output=True,
            saves_aside=activation("4n", 1),
            # Flash backward: the fp32 sum of dQ, one number a head and row, and dK, dV per query
            # head where heads share keys.
            backward_scratch=activation("4q+4n", 1) + repeated_gradients,
        )
        return Value(tensor=out, width=Size.of("q"), bytes=kernel_bytes)

    def _repeats_keys(self) -> bool:
        version = self.request.transformers_version
        masked = self.request.padded and self.request.attention == "sdpa"
        return masked or (version is not None and version < OLD_TRANSFORMERS)

    def _repeat(self, value: Value) -> Value:
        out = self.tape.run("repeat_kv", [value.tensor], activation("q", value.bytes))
        return Value(tensor=out, width=Size.of("q"), bytes=value.bytes)

    def _eager(self, parts: list[Value], kernel_bytes: int) -> Value:
        scores = Size.of("nNS")
        products = self.tape.run(
            "scores",
            [part.tensor for part in parts[:2]],
            scores * kernel_bytes,
            saves=[part.tensor for part in parts[:2]],
            forward_scratch=scores * kernel_bytes,
        )
        soft = self.tape.run(
            "softmax", [products], scores * 4, saves_output=True, forward_scratch=scores * 4,
            backward_scratch=scores * 4,
        )  # fmt: skip
        narrow = soft
        if kernel_bytes == 2:
            narrow = self.tape.run("softmax.cast", [soft], scores * kernel_bytes)
        out = self.tape.run(
            "mix",
            [narrow, parts[2].tensor],
            activation("q", kernel_bytes),
            saves=[narrow, parts[2].tensor],
        )
        return Value(tensor=out, width=Size.of("q"), bytes=kernel_bytes)

    # -- MLP ----------------------------------------------------------------------------------

    def mlp(self, normed: Value) -> Value:
        """The feed-forward half, gated or plain."""
        entering = [self.layers.linear(normed, layer) for layer in self.by_role["mlp_in"]]
        self.tape.keep(normed.tensor)
        width = Size.of(self.by_role["mlp_out"][0].inputs)
        if self.family.mlp == "plain":
            inner = self._activate(entering[0], width)
        elif len(entering) == 1:
            inner = self._gate(entering[0], entering[0], width)
        else:
            inner = self._gate(entering[0], entering[1], width)
        return self.layers.linear(inner, self.by_role["mlp_out"][0])

    def _gate(self, gate: Value, up: Value, width: Size) -> Value:
        size = activation(width, gate.bytes)
        active = self.tape.run("activation", [gate.tensor], size, saves=[gate.tensor])
        product = self.tape.run("product", [active, up.tensor], size, saves=[active, up.tensor])
        return Value(tensor=product, width=width, bytes=gate.bytes)

    def _activate(self, value: Value, width: Size) -> Value:
        size = activation(width, value.bytes)
        out = self.tape.run("activation", [value.tensor], size, saves=[value.tensor])
        return Value(tensor=out, width=width, bytes=value.bytes)


_POSITION_TABLES: Iterable[str] = ("wpe", "embed_positions", "position_embeddings")
