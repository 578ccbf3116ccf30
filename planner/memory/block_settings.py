"""What a block's operations depend on beside its shape: all that its writers are told."""

from __future__ import annotations

from typing import NamedTuple

from planner.memory.linears import passes_checkpoints
from planner.memory.numerics import Numerics, numerics_of
from planner.memory.stacks.loops import is_compiled, keeps_inputs
from planner.memory.stacks.own_model import has_own_model
from planner.request import Attention, Stack, TrainingRequest
from planner.shape import ModelShape

_OLD_TRANSFORMERS = (4, 99)
"""Up to here keys and values were repeated for every query head before any attention kernel."""

WIDEST_FLASH_HEAD = 256


class BlockSettings(NamedTuple):
    """Requests with equal settings have one block, whatever else they ask for."""

    numerics: Numerics
    adapted: frozenset[str]
    """Names of linears with adapters."""
    trained: bool
    """Whether the weights of the block are trained."""
    trains_tables: bool
    """Whether tables are trained that the block is called with."""
    dropout: bool
    """Whether adapters drop a part of their input."""
    dora: bool
    attention: Attention
    """flash2 also where torch's own attention is the same kernel with the same tensors."""
    masked: bool
    """Whether torch's own attention is given a mask."""
    repeats_keys: bool
    """Whether every attention kernel is given a key and a value for each query head."""
    one_row: bool
    """Whether a batch is one row whose scores are written out."""
    on_cpu: bool
    fused: bool
    stack: Stack
    """Whose model code it is."""
    activation: str
    """Name of the activation function, as in config.json."""
    compiled: bool
    saves_past_checkpoints: bool
    keeps_inputs: bool


def settings_of(
    shape: ModelShape, request: TrainingRequest, adapted: frozenset[str], *, windowed: bool
) -> BlockSettings:
    """The settings of a trained block; `adapted` names the linears with adapters.

    `windowed`: a mask ends its attention at a window.
    """
    adapter, version = request.adapter, request.transformers_version
    numerics = numerics_of(request, shape.family)
    own = has_own_model(shape, request)
    return BlockSettings(
        numerics=numerics,
        adapted=adapted,
        trained=request.method == "full",
        trains_tables=request.method == "full" and request.trainable_layers is None,
        dropout=adapter is not None and adapter.dropout > 0,
        dora=adapter is not None and adapter.kind == "dora",
        attention="sdpa" if windowed else _attention(shape, request, numerics),
        masked=windowed or (request.padded and request.attention == "sdpa"),
        repeats_keys=version is not None and version < _OLD_TRANSFORMERS,
        one_row=has_one_row(shape, request),
        on_cpu=request.device == "cpu",
        fused=request.fused_kernels,
        stack=request.stack if own else "transformers",
        # Other stacks call the fused kernel where Transformers computes in Python.
        activation=shape.activation if request.stack == "transformers" else "gelu",
        compiled=is_compiled(request),
        saves_past_checkpoints=passes_checkpoints(request),
        keeps_inputs=own and request.stack == "litgpt" and keeps_inputs(request),
    )


def _attention(shape: ModelShape, request: TrainingRequest, numerics: Numerics) -> Attention:
    """The attention asked for; flash2 where torch's own makes the very same tensors."""
    family = shape.family
    same = (
        request.attention == "sdpa"
        and request.device == "cuda"
        and (numerics.autocast or numerics.compute == numerics.norm_weights == 2)
        and not request.padded
        and shape.sizes.get("d", 0) <= WIDEST_FLASH_HEAD
        and family.fused_queries != "indexed"
        and family.rotary != "partial"
    )
    return "flash2" if same else request.attention


def writes_scores(shape: ModelShape, request: TrainingRequest) -> bool:
    """Whether the modelling code itself makes the scores, asked for or not."""
    if request.attention == "eager" or shape.family.attends_eagerly:
        return True
    # Classes without torch's kernel, where the library is asked for it.
    own = request.attention == "sdpa" and request.stack == "transformers"
    return own and shape.usual_attention == "eager"


def has_one_row(shape: ModelShape, request: TrainingRequest) -> bool:
    """Whether scores are written out for one row: the one batch that is not like the others."""
    return request.micro_batch == 1 and writes_scores(shape, request)


def is_windowed(shape: ModelShape, request: TrainingRequest) -> bool:
    """Whether torch's attention gets a mask because rows are longer than a window.

    Where scores are written out a mask is there anyhow, and flash attention takes the window's
    width itself.
    """
    masked = request.attention != "sdpa" or request.padded or writes_scores(shape, request)
    if shape.windows is None or masked or request.stack != "transformers":
        return False
    return shape.windows.cut(request.sequence_tokens)
