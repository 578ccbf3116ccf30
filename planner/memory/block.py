"""One transformer block, written on a tape operation by operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from hwdb.family import Linear
from planner.memory.attention import AttentionWriter
from planner.memory.block_settings import BlockSettings
from planner.memory.disentangled import DisentangledAttention
from planner.memory.expert_loop import looped_mixture
from planner.memory.experts import mixture
from planner.memory.feed_forward import mlp
from planner.memory.layers import TOKENS, Value
from planner.memory.library import Library
from planner.memory.size import Size
from planner.memory.tape import Tape, Tensor
from planner.shape import ModelShape

_STREAM = Size.of("h") * TOKENS


class WrittenBlock(NamedTuple):
    """A block's operations in their order."""

    tape: Tape
    leaving_bytes: int
    """Bytes an element of the stream that leaves it."""


def settled_block(shape: ModelShape, settings: BlockSettings) -> WrittenBlock:
    """A block between others: the stream's dtype is what a block makes of the one it is given.

    Norms and quantized linears may widen it.
    """
    entering = settings.numerics.entering
    block = written_block(shape, settings, entering)
    while block.leaving_bytes != entering:
        entering = block.leaving_bytes
        block = written_block(shape, settings, entering)
    return block


def written_block(
    shape: ModelShape, settings: BlockSettings, entering_bytes: int, *, needs_grad: bool = True
) -> WrittenBlock:
    """A block that is given a stream of so many bytes an element.

    `needs_grad`: whether something before it is trained.
    """
    library, attention = _writers(shape, settings)
    entering = library.tape.input(_STREAM * entering_bytes, needs_grad=needs_grad)
    stream = Value(entering, _STREAM, entering_bytes)
    out = _Block(library, attention, shape).write(stream)
    return WrittenBlock(library.tape, out.bytes)


class AttentionHalf(Protocol):
    """Writes the first half of a block."""

    def write(
        self, normed: Value, entering: Sequence[Linear], leaving: Sequence[Linear], /
    ) -> Value: ...


def _writers(shape: ModelShape, settings: BlockSettings) -> tuple[Library, AttentionHalf]:
    """What writes the layers and the attention of the library."""
    fields: dict[str, Any] = {
        "tape": Tape(),
        "numerics": settings.numerics,
        "trained": settings.trained,
        "adapted": settings.adapted,
        "dropout": settings.dropout,
        "dora": settings.dora,
        "biased": shape.biased,
        "saves_past_checkpoints": settings.saves_past_checkpoints,
        "one_row": settings.one_row,
        "on_cpu": settings.on_cpu,
        "fused": settings.fused,
        "norm_style": shape.family.norm_style,
        "activation": settings.activation,
    }
    # Few ask about the other libraries, and the quick check is to be quick.
    if settings.stack == "litgpt":
        from planner.memory.stacks.litgpt import LitgptAttention, LitgptLayers

        lit = LitgptLayers(**fields, keeps_inputs=settings.keeps_inputs)
        return lit, LitgptAttention(lit, shape)
    if settings.stack == "torchtune":
        from planner.memory.stacks.torchtune import TorchtuneAttention, TorchtuneLayers

        tuned = TorchtuneLayers(**fields, compiled=settings.compiled)
        return tuned, TorchtuneAttention(tuned, shape)
    library = Library(**fields)
    if shape.family.disentangled:
        return library, DisentangledAttention(library, shape, settings)
    return library, AttentionWriter(library, shape, settings)


class _Block:
    """Joins the two halves of a block the way its family does."""

    def __init__(self, library: Library, attention: AttentionHalf, shape: ModelShape) -> None:
        self.library = library
        self.attention = attention
        self.shape = shape
        self.family = shape.family
        self.norm_names = {each.name for each in shape.norms}
        self.has_layer_scale = any(
            each.name == "layer_scale1" for each in self.family.block_tensors
        )
        roles = ("attention_in", "attention_out", "mlp_in", "mlp_out")
        self.by_role = {
            role: [line for line in shape.linears if line.role == role] for role in roles
        }

    def write(self, stream: Value) -> Value:
        """The whole block."""
        if self.shape.parallel_residual:
            return self._parallel(stream)
        if self.family.kind == "encoder" and "attn_norm" not in self.norm_names:
            return self._norms_the_sum(stream)
        return self._sequential(stream)

    def _sequential(self, stream: Value) -> Value:
        held: list[Tensor] = []
        for half in (self._attention, self._feed_forward):
            normed = self._norm_before(stream)
            branch = self._norm_after(half(normed))
            held += [normed.tensor] if self.family.holds_first_half else []
            if self.family.holds_first_half or self.family.holds_attended:
                held.append(branch.tensor)
            if self.family.scales_residual:
                branch = self.library.unary(branch, "residual.scale")
            if self.has_layer_scale:
                scale = self.library.weight(Size.of("h"), self.library.numerics.vectors)
                branch = self.library.multiply(branch, scale, "layer_scale")
            stream = self.library.add(stream, branch)
        self.library.tape.keep(*held, *self.library.held_by_block)
        return stream

    def _norms_the_sum(self, stream: Value) -> Value:
        for half in (self._attention, self._feed_forward):
            branch = half(stream)
            normed = self._norm(self.library.add(stream, branch), "norm_of_sum")
            # The frames of the half and of the block hold what they were given.
            self.library.tape.keep(stream.tensor, branch.tensor, *self.library.held_by_block)
            stream = normed
        return stream

    def _parallel(self, stream: Value) -> Value:
        normed = self._norm_before(stream)
        attended = self._attention(normed)
        second = "post_attention_layernorm" in self.norm_names or "ln_mlp" in self.norm_names
        fed = self._feed_forward(self._norm_before(stream) if second else normed)
        return self.library.add(attended, fed, stream)

    def _norm(self, value: Value, name: str) -> Value:
        return self.library.norm(value, name)

    def _norm_before(self, stream: Value) -> Value:
        only_after = "post_feedforward_layernorm" in self.norm_names
        if only_after and "input_layernorm" not in self.norm_names:
            return stream
        return self._norm(stream, "norm_before")

    def _norm_after(self, branch: Value) -> Value:
        if self.norm_names.isdisjoint(("post_feedforward_layernorm", "post_mlp_layernorm")):
            return branch
        return self._norm(branch, "norm_after")

    def _attention(self, normed: Value) -> Value:
        out = self.attention.write(
            normed, self.by_role["attention_in"], self.by_role["attention_out"]
        )
        return self._dropped(out)

    def _feed_forward(self, normed: Value) -> Value:
        if self.family.experts is not None:
            if self.family.experts.looped:
                number = self.shape.sizes["E"]
                return looped_mixture(self.library, normed, self.family.experts, number)
            return mixture(self.library, normed, self.family.experts)
        gated = self.family.mlp == "gated" or len(self.by_role["mlp_in"]) > 1
        (leaving,) = self.by_role["mlp_out"]
        entering, held = self.by_role["mlp_in"], not self.family.mlp_in_block
        out = mlp(
            self.library,
            normed,
            entering,
            leaving,
            gated=gated,
            held=held,
            in_block=self.family.holds_activated,
        )
        return self._dropped(out)

    def _dropped(self, branch: Value) -> Value:
        if not self.shape.dropout("residual"):
            return branch
        return self.library.drop(branch, "residual.dropout")
