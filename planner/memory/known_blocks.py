"""Passes of blocks that were written already: once for all requests that differ only in sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hwdb.family import Family
from planner.memory.adapted import adapted_linears
from planner.memory.batch_bytes import PassBytes, PassTotals, widths_of
from planner.memory.block import settled_block, written_block
from planner.memory.block_settings import BlockSettings, is_windowed, settings_of
from planner.memory.disentangled import batch_of_scores
from planner.memory.embeddings import asks_for_embeddings
from planner.memory.expert_loop import rows_of_one
from planner.memory.replay import Pass
from planner.memory.size import Dimensions
from planner.request import TrainingRequest
from planner.shape import ModelShape


class BlockBytes(NamedTuple):
    """A block's forward and backward in numbers, and the dtype of the stream between blocks."""

    moments: PassBytes
    stream_bytes: int
    """Bytes an element of the residual stream, once it went through a block."""
    first: PassBytes | None
    """The first block's, where nothing before it is trained and that changes what it keeps, or
    where checkpoints are offloaded and others are given a wider stream, which norms need not cast.
    """
    frozen: PassBytes | None
    """That of a frozen block below trained ones, where its gradients are asked for: by checkpoints,
    or by embeddings that are the head too."""
    unmasked: PassBytes | None
    """That of a block without a window, where rows are longer than the others' one."""


def block_bytes(shape: ModelShape, request: TrainingRequest) -> BlockBytes:
    """The block's passes at the widths of this model and request, for any batch."""
    targets = request.adapter.targets if request.adapter else ()
    adapted = adapted_linears(shape, targets) if request.adapter else frozenset()
    windowed = is_windowed(shape, request)
    settings = settings_of(shape, request, adapted, windowed=windowed)
    keeps = request.accumulation == 1 and not request.steps_in_backward
    copies = _step_copies(request, settings.numerics.weights)
    block = _known_pass(shape, settings, keeps=keeps, step_copies=copies)
    first = frozen = unmasked = None
    if _begins_untrained(shape, request):
        entering = settings.numerics.entering
        first = _known_pass(shape, settings, entering, needs_grad=False, keeps=keeps)
    elif request.checkpointing == "offloaded" and request.trainable_layers is None:
        entering = settings.numerics.entering
        if entering != block.leaving_bytes:
            first = _known_pass(shape, settings, entering, keeps=keeps)
    if _differentiates_frozen(shape, request):
        untrained = settings._replace(trained=False)
        frozen = _known_pass(shape, untrained, block.leaving_bytes, keeps=True)
    if windowed and request.checkpointing == "none":
        plain = settings_of(shape, request, adapted, windowed=False)
        unmasked = _known_pass(shape, plain, keeps=keeps)
    return BlockBytes(
        moments=_in_numbers(block, shape, request),
        stream_bytes=block.leaving_bytes,
        first=None if first is None else _in_numbers(first, shape, request),
        frozen=None if frozen is None else _in_numbers(frozen, shape, request),
        unmasked=None if unmasked is None else _in_numbers(unmasked, shape, request),
    )


def _begins_untrained(shape: ModelShape, request: TrainingRequest) -> bool:
    # A tied head trains the embeddings, whatever lies between.
    embeddings_trained = request.trainable_layers is None or shape.tied
    trained = request.method == "full" and embeddings_trained
    return request.checkpointing == "none" and not trained


def _differentiates_frozen(shape: ModelShape, request: TrainingRequest) -> bool:
    layers = request.trainable_layers
    reached = asks_for_embeddings(shape, request) or shape.tied
    return layers is not None and layers < shape.layers and reached


def _step_copies(request: TrainingRequest, weight_bytes: int) -> int:
    """What Adafactor's step makes of a weight's gradient, where it is taken within backward."""
    if request.optimizer_name != "adafactor" or not request.steps_in_backward:
        return 0
    return 2 if weight_bytes == 4 else 8


class _Known(NamedTuple):
    moments: Pass
    leaving_bytes: int


def _known_pass(
    shape: ModelShape,
    settings: BlockSettings,
    entering_bytes: int | None = None,
    *,
    needs_grad: bool = True,
    keeps: bool,
    step_copies: int = 0,
) -> _Known:
    """A block's pass. `entering_bytes` None: whatever a block between others is given."""
    key = (
        _kind_of_block(shape, settings),
        settings,
        entering_bytes,
        needs_grad,
        keeps,
        step_copies,
    )
    known = _passes.get(key)
    if known is None:
        if entering_bytes is None:
            block = settled_block(shape, settings)
        else:
            block = written_block(shape, settings, entering_bytes, needs_grad=needs_grad)
        moments = block.tape.replay(keeps_weight_gradients=keeps, step_copies=step_copies)
        if len(_passes) >= _MOST_PASSES:
            _passes.clear()
        known = _passes[key] = _Known(moments, block.leaving_bytes)
    return known


_MOST_PASSES = 1024
"""A pass with all its operations takes up to 100 KiB."""
_passes: dict[object, _Known] = {}


def _in_numbers(block: _Known, shape: ModelShape, request: TrainingRequest) -> PassBytes:
    widths = _widths(shape, request)
    # Rows of an expert may be no whole number, and are rounded together with the rank.
    rank = widths["r"] if shape.family.experts else None
    batch = batch_of_scores(shape, request)
    key = (id(block.moments), id(shape.sizes), rank, shape.experts_per_token, *batch)
    known = _at_widths.get(key)
    if known is None:
        if len(_at_widths) >= _MOST_PASSES:
            _at_widths.clear()
        known = _at_widths[key] = (shape.sizes, PassTotals(block.moments, widths))
    return PassBytes(known[1], widths)


def _widths(shape: ModelShape, request: TrainingRequest) -> Dimensions:
    rank = request.adapter.rank if request.adapter else 0
    batch = batch_of_scores(shape, request)
    key = (id(shape.sizes), rank, shape.experts_per_token, *batch)
    known = _known_widths.get(key)
    if known is None:
        if len(_known_widths) >= _MOST:
            _known_widths.clear()
        widths = widths_of(shape.sizes, r=rank, X=shape.experts_per_token)
        widths.a_token = rows_of_one(shape)
        widths.update(zip("BR", batch, strict=False))
        known = _known_widths[key] = (shape.sizes, widths)
    return known[1]


_MOST = 8192
_at_widths: dict[object, tuple[Mapping[str, int], PassTotals]] = {}
_known_widths: dict[object, tuple[Mapping[str, int], Dimensions]] = {}
"""By identity of the pass and of the sizes, which are kept so that no others take their place."""


def _kind_of_block(shape: ModelShape, settings: BlockSettings) -> object:
    """The same for shapes whose blocks are written alike: only their widths differ."""
    known = _kind_of_shape.get(id(shape))
    if known is None:
        if len(_kind_of_shape) >= _MOST:
            _kind_of_shape.clear()
        family = shape.family
        key = (
            *(getattr(family, name) for name in _IN_BLOCK),
            shape.linears, shape.norms, shape.parallel_residual, shape.relative,
            shape.sizes.get("q") == shape.sizes.get("k"), shape.sizes.get("d", 0) > 256,
            shape.sizes.get("d") == shape.sizes.get("k"),
            tuple(place for place in _DROPPED if shape.dropout(place)),
        )  # fmt: skip
        known = _kind_of_shape[id(shape)] = (shape, _kinds.setdefault(key, len(_kinds)))
    biased = shape.biased if settings.dora else None
    model = shape.family.model_type if settings.stack == "litgpt" else None
    return known[1], biased, model


_DROPPED = ("attention", "residual")
_ELSEWHERE = frozenset(
    (
        *("model_type", "linears", "norms", "embeddings", "heads", "source", "biases"),
        *("bias_flags", "norm_bias", "absent_in_first_block", "parallel_residual", "notes"),
        *("shared_blocks", "final_norms", "wrappers", "embeddings_change", "masks", "packs"),
        *("holds_scores", "dropout_keys", "logit_softcap", "one_kv_head_when", "config_keys"),
        *("holds_outputs", "undescribed_when", "own_linears", "embedding_norms", "norm_kind"),
        "config_defaults",
    )
)
"""What a family says of the model around a block, or a shape says again of its own block."""
_IN_BLOCK = tuple(name for name in Family._fields if name not in _ELSEWHERE)
_kinds: dict[object, int] = {}
_kind_of_shape: dict[int, tuple[ModelShape, int]] = {}
