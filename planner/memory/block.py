"""One transformer block, written on a tape operation by operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from hwdb.family import Linear
from planner.memory.attention import AttentionWriter
from planner.memory.feed_forward import mixture, mlp
from planner.memory.layers import Layers, Value, activation
from planner.memory.numerics import numerics_of
from planner.memory.size import Size
from planner.memory.stacks.litgpt import LitgptAttention, LitgptLayers, keeps_inputs
from planner.memory.stacks.own_model import has_own_model
from planner.memory.stacks.torchtune import TorchtuneAttention, TorchtuneLayers, is_compiled
from planner.memory.tape import Pass, Tape
from planner.request import TrainingRequest
from planner.shape import ModelShape

_POSITION_TABLES = ("wpe", "embed_positions", "position_embeddings")
"""Families with one of these add positions once and rotate nothing."""


_MATH_ATTENTION = ("falcon",)
"""Families that always hand sdpa a mask and one broadcast key head, which no fused kernel takes."""


def block_pass(shape: ModelShape, request: TrainingRequest, adapted: frozenset[str]) -> Pass:
    """The candidates of one block's forward and backward; `adapted` names linears with adapters."""
    return block_tape(shape, request, adapted).replay()


def block_tape(shape: ModelShape, request: TrainingRequest, adapted: frozenset[str]) -> Tape:
    """One block's operations in their order."""
    numerics = numerics_of(request)
    tape = Tape()
    stream = Value(
        tensor=tape.input(activation("h", numerics.stream), needs_grad=True),
        width=Size.of("h"),
        bytes=numerics.stream,
    )
    fields: dict[str, Any] = {
        "tape": tape,
        "numerics": numerics,
        "base_trained": request.method == "full",
        "adapted": adapted,
        "dropout": bool(request.adapter and request.adapter.dropout),
        "on_cpu": request.device == "cpu",
        "fused": request.fused_kernels,
        "norm_kind": shape.family.norm_kind,
        # Other stacks call the fused kernel where Transformers computes in Python.
        "activation": shape.activation if request.stack == "transformers" else "gelu",
    }
    layers, attention = _writers(shape, request, fields)
    _Block(layers, shape, request, attention).write(stream)
    return tape


def _writers(
    shape: ModelShape, request: TrainingRequest, fields: dict[str, Any]
) -> tuple[Layers, AttentionHalf | None]:
    """What writes the layers and the attention of the request's library; None: Transformers'."""
    if not has_own_model(shape, request):
        return Layers(**fields), None
    if request.stack == "litgpt":
        layers = LitgptLayers(**fields, keeps_inputs=keeps_inputs(request))
        return layers, LitgptAttention(layers, shape)
    tuned = TorchtuneLayers(**fields, compiled=is_compiled(request))
    return tuned, TorchtuneAttention(tuned, shape)


class AttentionHalf(Protocol):
    """Writes the first half of a block."""

    def write(
        self, normed: Value, entering: Sequence[Linear], leaving: Sequence[Linear], /
    ) -> Value: ...


class _Block:
    """Joins the two halves of a block the way its family does."""

    def __init__(
        self,
        layers: Layers,
        shape: ModelShape,
        request: TrainingRequest,
        attention: AttentionHalf | None = None,
    ) -> None:
        family = shape.family
        self.layers = layers
        self.tape = layers.tape
        self.shape = shape
        self.experts = family.experts
        self.norm_names = {norm.name for norm in family.norms}
        roles = ("attention_in", "attention_out", "mlp_in", "mlp_out")
        self.by_role = {
            role: [layer for layer in shape.linears if layer.role == role] for role in roles
        }
        self.attention_writer: AttentionHalf = attention or AttentionWriter(
            layers,
            request,
            rotates=not any(table.name in _POSITION_TABLES for table in family.embeddings),
            norms_heads="q_norm" in self.norm_names,
            keeps_scores=request.attention == "eager" or family.model_type in _MATH_ATTENTION,
        )

    def write(self, stream: Value) -> None:
        """The whole block."""
        if self.shape.parallel_residual:
            self._parallel(stream)
        elif self.shape.family.kind == "encoder" and "attn_norm" not in self.norm_names:
            self._norms_the_sum(stream)
        else:
            self._sequential(stream)

    def _sequential(self, stream: Value) -> None:
        for half in (self._attention, self._feed_forward):
            branch = half(self._norm_before(stream))
            stream = self._add(stream, self._norm_after(branch))

    def _norms_the_sum(self, stream: Value) -> None:
        for half in (self._attention, self._feed_forward):
            stream = self.layers.norm(self._add(stream, half(stream)), "norm_of_sum")

    def _parallel(self, stream: Value) -> None:
        normed = self._norm_before(stream)
        attended = self._attention(normed)
        second = "post_attention_layernorm" in self.norm_names
        fed = self._feed_forward(self._norm_before(stream) if second else normed)
        self._add(self._add(attended, fed), stream)

    def _add(self, left: Value, right: Value) -> Value:
        wider = max(left.bytes, right.bytes)
        total = self.tape.add(left.tensor, right.tensor, activation("h", wider))
        return Value(tensor=total, width=left.width, bytes=wider)

    def _norm_before(self, stream: Value) -> Value:
        only_after = "post_feedforward_layernorm" in self.norm_names
        if only_after and "input_layernorm" not in self.norm_names:
            return stream
        return self.layers.norm(stream, "norm_before")

    def _norm_after(self, branch: Value) -> Value:
        if self.norm_names.isdisjoint(("post_feedforward_layernorm", "post_mlp_layernorm")):
            return branch
        return self.layers.norm(branch, "norm_after")

    def _attention(self, normed: Value) -> Value:
        return self.attention_writer.write(
            normed, self.by_role["attention_in"], self.by_role["attention_out"]
        )

    def _feed_forward(self, normed: Value) -> Value:
        if self.experts is not None:
            return mixture(self.layers, normed, self.experts)
        gated = self.shape.family.mlp == "gated" or len(self.by_role["mlp_in"]) > 1
        (leaving,) = self.by_role["mlp_out"]
        return mlp(self.layers, normed, self.by_role["mlp_in"], leaving, gated=gated)
