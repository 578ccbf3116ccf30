"""One transformer block, written on a tape operation by operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from hwdb.family import Linear
from planner.memory.attention import AttentionWriter, has_one_row
from planner.memory.disentangled import DisentangledAttention
from planner.memory.experts import mixture
from planner.memory.feed_forward import mlp
from planner.memory.layers import TOKENS, Value
from planner.memory.library import Library
from planner.memory.linears import passes_checkpoints
from planner.memory.numerics import numerics_of
from planner.memory.replay import Pass
from planner.memory.size import Size
from planner.memory.stacks.loops import is_compiled, keeps_inputs
from planner.memory.stacks.own_model import has_own_model
from planner.memory.tape import Tape, Tensor
from planner.request import TrainingRequest
from planner.shape import ModelShape

_STREAM = Size.of("h") * TOKENS


class BlockPass(NamedTuple):
    """A block's forward and backward, and the dtype of the stream between blocks."""

    moments: Pass
    stream_bytes: int
    """Bytes an element of the residual stream, once it went through a block."""
    first: Pass | None
    """The first block's, where nothing before it is trained and that changes what it keeps."""
    frozen: Pass | None
    """That of a frozen block below trained ones, where checkpoints ask for its gradients."""


def block_pass(shape: ModelShape, request: TrainingRequest, adapted: frozenset[str]) -> BlockPass:
    """The candidates of one block's forward and backward; `adapted` names linears with adapters."""
    keeps = request.accumulation == 1 and not request.steps_in_backward
    tape, stream_bytes = block_tape(shape, request, adapted)
    return BlockPass(
        moments=tape.replay(keeps_weight_gradients=keeps),
        stream_bytes=stream_bytes,
        first=_first(shape, request, adapted, keeps_weight_gradients=keeps),
        frozen=_frozen(shape, request, adapted, stream_bytes),
    )


def _first(
    shape: ModelShape,
    request: TrainingRequest,
    adapted: frozenset[str],
    *,
    keeps_weight_gradients: bool,
) -> Pass | None:
    everything_trained = request.method == "full" and request.trainable_layers is None
    if request.checkpointing != "none" or everything_trained:
        return None
    entering = numerics_of(request, shape.family).entering
    tape, _ = _written(shape, request, adapted, entering, needs_grad=False)
    return tape.replay(keeps_weight_gradients=keeps_weight_gradients)


def _frozen(
    shape: ModelShape, request: TrainingRequest, adapted: frozenset[str], stream_bytes: int
) -> Pass | None:
    layers = request.trainable_layers
    if layers is None or layers >= shape.layers or request.checkpointing == "none":
        return None
    tape, _ = _written(shape, request, adapted, stream_bytes, needs_grad=True, trained=False)
    return tape.replay()


def block_tape(
    shape: ModelShape, request: TrainingRequest, adapted: frozenset[str]
) -> tuple[Tape, int]:
    """One block's operations in their order, and the bytes an element of the stream between blocks.

    The stream's dtype is what a block makes of the one it is given: norms and quantized linears
    may widen it.
    """
    entering = numerics_of(request, shape.family).entering
    tape, leaving = _written(shape, request, adapted, entering, needs_grad=True)
    while leaving != entering:
        entering = leaving
        tape, leaving = _written(shape, request, adapted, entering, needs_grad=True)
    return tape, leaving


def _written(
    shape: ModelShape,
    request: TrainingRequest,
    adapted: frozenset[str],
    stream_bytes: int,
    *,
    needs_grad: bool,
    trained: bool = True,
) -> tuple[Tape, int]:
    fields: dict[str, Any] = {
        "tape": Tape(),
        "numerics": numerics_of(request, shape.family),
        "trained": trained and request.method == "full",
        "adapted": adapted,
        "dropout": bool(request.adapter and request.adapter.dropout),
        "dora": bool(request.adapter and request.adapter.kind == "dora"),
        "biased": shape.biased,
        "saves_past_checkpoints": passes_checkpoints(request),
        "one_row": has_one_row(shape, request),
        "on_cpu": request.device == "cpu",
        "fused": request.fused_kernels,
        "norm_style": shape.family.norm_style,
        # Other stacks call the fused kernel where Transformers computes in Python.
        "activation": shape.activation if request.stack == "transformers" else "gelu",
    }
    library, attention = _writers(shape, request, fields)
    entering = library.tape.input(_STREAM * stream_bytes, needs_grad=needs_grad)
    stream = Value(entering, _STREAM, stream_bytes)
    out = _Block(library, attention, shape).write(stream)
    return library.tape, out.bytes


class AttentionHalf(Protocol):
    """Writes the first half of a block."""

    def write(
        self, normed: Value, entering: Sequence[Linear], leaving: Sequence[Linear], /
    ) -> Value: ...


def _writers(
    shape: ModelShape, request: TrainingRequest, fields: dict[str, Any]
) -> tuple[Library, AttentionHalf]:
    """What writes the layers and the attention of the request's library."""
    if not has_own_model(shape, request):
        library = Library(**fields)
        if shape.family.disentangled:
            return library, DisentangledAttention(library, shape, request)
        return library, AttentionWriter(library, shape, request)
    # Few ask about the other libraries, and the quick check is to be quick.
    if request.stack == "litgpt":
        from planner.memory.stacks.litgpt import LitgptAttention, LitgptLayers

        lit = LitgptLayers(**fields, keeps_inputs=keeps_inputs(request))
        return lit, LitgptAttention(lit, shape)
    from planner.memory.stacks.torchtune import TorchtuneAttention, TorchtuneLayers

    tuned = TorchtuneLayers(**fields, compiled=is_compiled(request))
    return tuned, TorchtuneAttention(tuned, shape)


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
            held += [normed.tensor, branch.tensor] if self.family.holds_first_half else []
            if self.family.scales_residual:
                branch = self.library.unary(branch, "residual.scale")
            if self.has_layer_scale:
                scale = self.library.weight(Size.of("h"), self.library.numerics.vectors)
                branch = self.library.multiply(branch, scale, "layer_scale")
            stream = self.library.add(stream, branch)
        self.library.tape.keep(*held)
        return stream

    def _norms_the_sum(self, stream: Value) -> Value:
        for half in (self._attention, self._feed_forward):
            branch = half(stream)
            normed = self._norm(self.library.add(stream, branch), "norm_of_sum")
            # The frames of the half and of the block hold what they were given.
            self.library.tape.keep(stream.tensor, branch.tensor)
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
            return mixture(self.library, normed, self.family.experts)
        gated = self.family.mlp == "gated" or len(self.by_role["mlp_in"]) > 1
        (leaving,) = self.by_role["mlp_out"]
        entering, held = self.by_role["mlp_in"], not self.family.mlp_in_block
        return self._dropped(mlp(self.library, normed, entering, leaving, gated=gated, held=held))

    def _dropped(self, branch: Value) -> Value:
        if not self.shape.dropout("residual"):
            return branch
        return self.library.drop(branch, "residual.dropout")
