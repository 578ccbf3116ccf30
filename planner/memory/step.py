"""The peak of one training step: every phase's largest moment, and the largest of those."""

from __future__ import annotations

from typing import NamedTuple

from planner.memory import classifying, outside
from planner.memory.block import BlockPass, block_pass
from planner.memory.candidate import Candidate
from planner.memory.head import HeadBytes, head_bytes
from planner.memory.ledger import Ledger
from planner.memory.numerics import Numerics, numerics_of
from planner.memory.sharding import sharding_of
from planner.memory.size import Dimensions
from planner.memory.stacks import litgpt, torchtune
from planner.memory.stacks.own_model import has_own_model
from planner.memory.states import States, adapted_linears, states_of
from planner.request import TrainingRequest
from planner.shape import ModelShape


class Step(NamedTuple):
    """A step's states and the moments that may be its peak."""

    states: States
    candidates: tuple[Candidate, ...]

    @property
    def peak(self) -> Candidate:
        """The largest moment."""
        return max(self.candidates, key=lambda candidate: candidate.total_bytes)


def step_of(shape: ModelShape, request: TrainingRequest) -> Step:
    """Every moment of a step that may be its peak."""
    numerics = numerics_of(request, shape.family)
    sharding = sharding_of(states_of(shape, request, numerics), shape, request, numerics)
    states = sharding.states
    dimensions = _dimensions(shape, request)
    block = _block(shape, request)
    ledger = Ledger(shape, request, numerics, states, block, dimensions)
    head = _head(shape, request, numerics, block.stream_bytes)
    candidates = [
        *ledger.forward(),
        *ledger.loss(head),
        *ledger.backward(),
        *ledger.embeddings(),
        *ledger.optimizer(),
        *outside.evaluate(_largest_forward(block, dimensions), head),
        *outside.save(shape, request, numerics),
    ]
    moments = (
        *sharding.load(),
        *outside.load(shape, request, states),
        *map(sharding.on, candidates),
    )
    return Step(states=states, candidates=moments)


def _largest_forward(block: BlockPass, dimensions: Dimensions) -> int:
    """Most bytes one block holds in forward."""
    return max(round(moment.total.at(dimensions)) for moment in block.moments.forward)


def _head(
    shape: ModelShape, request: TrainingRequest, numerics: Numerics, stream_bytes: int
) -> HeadBytes:
    if request.task != "causal-lm":
        return classifying.head_bytes(shape, request, numerics, stream_bytes=stream_bytes)
    if not has_own_model(shape, request):
        return head_bytes(shape, request, numerics, stream_bytes=stream_bytes)
    if request.stack == "litgpt":
        return litgpt.head_bytes(shape, request, numerics)
    return torchtune.head_bytes(shape, request, numerics)


def _dimensions(shape: ModelShape, request: TrainingRequest) -> Dimensions:
    return Dimensions(
        shape.sizes,
        N=request.tokens,
        S=request.sequence_tokens,
        B=request.micro_batch,
        r=request.adapter.rank if request.adapter else 0,
        X=shape.experts_per_token,
    )


_LIKE = {"nf4-dq": "nf4", "fp16": "bf16"}
"""Weights that make the same tensors in a block: only they themselves are stored otherwise."""


def _block(shape: ModelShape, request: TrainingRequest) -> BlockPass:
    """The block's pass; written once for all requests that differ only in sizes."""
    targets = request.adapter.targets if request.adapter else ()
    adapted = adapted_linears(shape, targets) if request.adapter else frozenset()
    names = tuple(line.name for line in shape.linears)
    key = (
        shape.family.model_type, shape.activation, shape.parallel_residual, request.stack,
        names, adapted, request.method, _LIKE.get(request.weights, request.weights),
        request.autocast, request.kbit_prepare, request.attention, request.padded,
        request.transformers_version, request.device, request.fused_kernels,
        request.steps_in_backward, request.accumulation > 1,
        request.trainable_layers is None,
        request.trainable_layers is not None and request.trainable_layers < shape.layers,
        request.checkpointing == "none",
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
