"""Passes of blocks that were written already: once for all requests that differ only in sizes."""

from __future__ import annotations

from typing import NamedTuple

from planner.memory.attention import has_one_row
from planner.memory.batch_bytes import PassBytes, pass_bytes
from planner.memory.block import BlockPass, block_pass
from planner.memory.numerics import casts_back
from planner.memory.size import Dimensions
from planner.memory.stacks import torchtune
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
    widths = Dimensions(shape.sizes, r=rank, X=shape.experts_per_token)
    block = _written(shape, request)
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
    names = tuple(line.name for line in shape.linears)
    key = (
        shape.family.model_type, shape.activation, shape.parallel_residual, request.stack,
        names, adapted, request.method, _LIKE.get(request.weights, request.weights),
        request.autocast, request.kbit_prepare, casts_back(request),
        request.attention, request.padded,
        request.transformers_version, request.device, request.fused_kernels,
        request.steps_in_backward, request.accumulation > 1,
        request.trainable_layers is None,
        request.trainable_layers is not None and request.trainable_layers < shape.layers,
        request.checkpointing == "none",
        has_one_row(shape, request),
        shape.sizes.get("q") == shape.sizes.get("k"), shape.sizes.get("d", 0) > 256,
        tuple(shape.norms), tuple(place for place, share in shape.dropouts.items() if share),
        request.bitsandbytes_version, torchtune.is_compiled(request), _adapter_key(request),
    )  # fmt: skip
    found = _passes.get(key)
    if found is None:
        found = _passes[key] = block_pass(shape, request, adapted)
    return found


def _adapter_key(request: TrainingRequest) -> object:
    adapter = request.adapter
    return adapter and (adapter.dtype, adapter.dropout > 0, adapter.kind)


_passes: dict[object, BlockPass] = {}
