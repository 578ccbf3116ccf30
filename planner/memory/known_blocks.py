"""Passes of blocks that were written already: once for all requests that differ only in sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hwdb.family import Family
from planner.memory.attention import has_one_row
from planner.memory.batch_bytes import PassBytes, pass_bytes, widths_of
from planner.memory.block import BlockPass, block_pass
from planner.memory.disentangled import batch_of_scores
from planner.memory.numerics import CAST_BACK, casts_back
from planner.memory.size import Dimensions
from planner.memory.stacks.loops import is_compiled
from planner.memory.states import adapted_linears
from planner.request import TrainingRequest
from planner.shape import ModelShape


class BlockBytes(NamedTuple):
    """A block's passes in numbers; see `planner.memory.block.BlockPass`."""

    moments: PassBytes
    stream_bytes: int
    first: PassBytes | None
    frozen: PassBytes | None


def block_bytes(shape: ModelShape, request: TrainingRequest) -> BlockBytes:
    """The block's passes at the widths of this model and request, for any batch."""
    rank = request.adapter.rank if request.adapter else 0
    block = _written(shape, request)
    batch = batch_of_scores(shape, request)
    key = (id(block), id(shape.sizes), rank, shape.experts_per_token, *batch)
    known = _at_widths.get(key)
    if known is None:
        if len(_at_widths) >= _MOST:
            _at_widths.clear()
        widths = widths_of(shape.sizes, r=rank, X=shape.experts_per_token)
        widths.update(zip("BR", batch, strict=False))
        known = _at_widths[key] = (shape.sizes, _in_numbers(block, widths))
    return known[1]


_MOST = 4096
_at_widths: dict[object, tuple[Mapping[str, int], BlockBytes]] = {}
"""By identity of the block and of the sizes, which are kept so that no others take their place."""


def _in_numbers(block: BlockPass, widths: Dimensions) -> BlockBytes:
    first, frozen = block.first, block.frozen
    return BlockBytes(
        moments=pass_bytes(block.moments, widths),
        stream_bytes=block.stream_bytes,
        first=None if first is None else pass_bytes(first, widths),
        frozen=None if frozen is None else pass_bytes(frozen, widths),
    )


_LIKE = {"nf4-dq": "nf4"}
"""Weights that make the same tensors in a block: only they themselves are stored otherwise."""


def _written(shape: ModelShape, request: TrainingRequest) -> BlockPass:
    targets = request.adapter.targets if request.adapter else ()
    adapted = adapted_linears(shape, targets) if request.adapter else frozenset()
    key = (
        _kind_of_block(shape), adapted, request.stack,
        shape.family.model_type if request.stack == "litgpt" else None,
        request.method, _LIKE.get(request.weights, request.weights),
        request.autocast, request.kbit_prepare, casts_back(request),
        request.attention, request.padded,
        request.transformers_version, request.device, request.fused_kernels,
        request.steps_in_backward, request.accumulation > 1,
        request.trainable_layers is None,
        request.trainable_layers is not None and request.trainable_layers < shape.layers,
        request.checkpointing == "none",
        has_one_row(shape, request),
        request.bitsandbytes_version, is_compiled(request), _adapter_key(request),
    )  # fmt: skip
    found = _passes.get(key)
    if found is None:
        found = _passes[key] = block_pass(shape, request, adapted)
    return found


def _kind_of_block(shape: ModelShape) -> int:
    """The same number for shapes whose blocks are written alike: only their widths differ."""
    known = _kind_of_shape.get(id(shape))
    if known is None:
        if len(_kind_of_shape) >= _MOST:
            _kind_of_shape.clear()
        family = shape.family
        key = (
            *(getattr(family, name) for name in _IN_BLOCK),
            all(table.name in CAST_BACK for table in family.embeddings),
            bool(family.config_defaults.get("tie_word_embeddings")),
            shape.linears, shape.norms, shape.biased, shape.activation, shape.parallel_residual,
            shape.relative,
            shape.sizes.get("q") == shape.sizes.get("k"), shape.sizes.get("d", 0) > 256,
            tuple(place for place, share in shape.dropouts.items() if share),
        )  # fmt: skip
        known = _kind_of_shape[id(shape)] = (shape, _kinds.setdefault(key, len(_kinds)))
    return known[1]


_ELSEWHERE = frozenset(
    (
        *("model_type", "linears", "norms", "embeddings", "heads", "source", "biases"),
        *("bias_flags", "norm_bias", "absent_in_first_block", "parallel_residual", "notes"),
        *("shared_blocks", "final_norms", "wrappers", "embeddings_change", "masks", "packs"),
        *("holds_scores", "dropout_keys", "logit_softcap", "one_kv_head_when", "config_keys"),
        *("holds_outputs", "undescribed_when"),
        "config_defaults",
    )
)
"""What a family says of the model around a block, or a shape says again of its own block."""
_IN_BLOCK = tuple(name for name in Family._fields if name not in _ELSEWHERE)
_kinds: dict[object, int] = {}
_kind_of_shape: dict[int, tuple[ModelShape, int]] = {}


def _adapter_key(request: TrainingRequest) -> object:
    adapter = request.adapter
    return adapter and (adapter.dtype, adapter.dropout > 0, adapter.kind)


_passes: dict[object, BlockPass] = {}
