"""More than one card: what each of them holds of weights, gradients and optimizer state.

Sources: FullyShardedDataParallel and DistributedDataParallel of torch (2.x), DeepSpeed's ZeRO
stages 2 and 3, and how Trainer and litgpt call them:

- ddp copies everything and adds flat buckets as large as all gradients;
- fsdp keeps a share of everything, gathers the block it is at and prefetches the next one; the
  outermost unit (tables, last norm) stays whole from forward to the end of backward, and so do its
  gradients; while micro-batches accumulate nothing is reduced, so all gradients stay whole;
- zero keeps fp32 copies of what is trained beside the two moments; stage 2 shares those and the
  gradients, stage 3 the weights too, gathered as fsdp gathers them.
"""

from __future__ import annotations

from typing import NamedTuple

from planner.memory.batch_bytes import NO_BYTES
from planner.memory.candidate import Candidate, Entry, Growing, Phase
from planner.memory.numerics import Numerics
from planner.memory.states import States
from planner.request import TrainingRequest
from planner.shape import ModelShape

_GATHERED_BLOCKS = 2
"""The one that is computed and the one that is fetched meanwhile."""

_ZERO_BUCKET_ELEMENTS = 500_000_000
"""DeepSpeed's default size of a bucket, in elements; no larger than what is trained."""


class Sharding(NamedTuple):
    """States of one card and what sharding adds to a moment."""

    states: States
    gathered_bytes: int
    """Weights of other cards' shares, whole for a while; not during the optimizer's step."""
    standing_bytes: int
    """Buckets that are always there."""
    loaded_whole_bytes: int = 0
    """The whole model, which litgpt makes on every card to read its checkpoint into."""

    def load(self) -> list[Growing]:
        """The moment at which a checkpoint is read, before there is optimizer state."""
        beyond = self.loaded_whole_bytes - self.states.optimizer_bytes
        if beyond <= 0:
            return []
        return [Growing("load", "whole model", temporaries=NO_BYTES.plus(beyond))]

    def on(self, candidate: Candidate) -> Candidate:
        """The moment with what sharding adds to it."""
        extra = self._extra(candidate.phase)
        if not extra:
            return candidate
        return candidate._replace(temporaries_bytes=candidate.temporaries_bytes + extra)

    def on_entry(self, entry: Entry) -> Entry:
        """The same before the batch is known."""
        return entry.plus(self._extra(entry.phase))

    def _extra(self, phase: Phase) -> int:
        return self.standing_bytes + (self.gathered_bytes if phase != "optimizer" else 0)


def sharding_of(
    states: States, shape: ModelShape, request: TrainingRequest, numerics: Numerics
) -> Sharding:
    """How the request's cards share these states."""
    alone = request.gpus == 1 and request.sharding in ("none", "ddp", "fsdp")
    if alone:
        return Sharding(states=states, gathered_bytes=0, standing_bytes=0)
    if request.sharding in ("none", "ddp"):
        return Sharding(states=states, gathered_bytes=0, standing_bytes=states.gradients_bytes)
    if request.sharding == "fsdp":
        return _fully_sharded(states, shape, request, numerics)
    return _zero(states, shape, request, numerics)


def _fully_sharded(
    states: States, shape: ModelShape, request: TrainingRequest, numerics: Numerics
) -> Sharding:
    cards = request.gpus
    whole_gradients = request.accumulation > 1
    whole = states.weights_bytes if request.stack == "litgpt" else 0
    states = _with_frozen_gradients(states, shape, request, numerics)
    states = _upcast(states, request, numerics)
    gradients = states.gradients_bytes if whole_gradients else _share(states.gradients_bytes, cards)
    block = states.block_gradients_bytes
    return Sharding(
        states=states._replace(
            weights_bytes=_share(states.weights_bytes, cards),
            adapters_bytes=_share(states.adapters_bytes, cards),
            gradients_bytes=gradients,
            block_gradients_bytes=block if whole_gradients else _share(block, cards),
            optimizer_bytes=_share(states.optimizer_bytes, cards),
            paged_bytes=_share(states.paged_bytes, cards),
            step_scratch_bytes=_share(states.step_scratch_bytes, cards),
        ),
        gathered_bytes=_gathered(states, shape, numerics),
        standing_bytes=0,
        loaded_whole_bytes=whole,
    )


def _with_frozen_gradients(
    states: States, shape: ModelShape, request: TrainingRequest, numerics: Numerics
) -> States:
    """Gradients as large as whole blocks, where litgpt flattens adapters with what is frozen.

    A block is one flat parameter; autograd fills the gradient of its frozen share with zeros.
    """
    if request.stack != "litgpt" or request.adapter is None:
        return states
    block = shape.block_parameters * numerics.weights
    return states._replace(gradients_bytes=block * shape.stored_layers, block_gradients_bytes=block)


def _upcast(states: States, request: TrainingRequest, numerics: Numerics) -> States:
    """Accelerate makes 16-bit trained weights fp32 under mixed precision."""
    narrow = request.method == "full" and numerics.weights != 4
    if not narrow or request.autocast is None or request.stack != "transformers":
        return states
    whole = {"adamw": 2, "adamw-fused": 2, "sgd": 1}.get(request.optimizer_name, 1)
    return states._replace(
        weights_bytes=2 * states.weights_bytes,
        gradients_bytes=2 * states.gradients_bytes,
        block_gradients_bytes=2 * states.block_gradients_bytes,
        optimizer_bytes=whole * states.optimizer_bytes,
        step_scratch_bytes=2 * states.step_scratch_bytes,
    )


def _zero(
    states: States, shape: ModelShape, request: TrainingRequest, numerics: Numerics
) -> Sharding:
    cards, third = request.gpus, request.sharding == "zero3"
    master = 4 * states.trained_parameters
    moments = states.optimizer_bytes
    if request.optimizer_name in ("adamw", "adamw-fused"):
        moments = 8 * states.trained_parameters
    bucket = 2 * min(_ZERO_BUCKET_ELEMENTS, states.trained_parameters)
    return Sharding(
        states=states._replace(
            weights_bytes=_share(states.weights_bytes, cards) if third else states.weights_bytes,
            adapters_bytes=_share(states.adapters_bytes, cards) if third else states.adapters_bytes,
            gradients_bytes=_share(states.gradients_bytes, cards),
            block_gradients_bytes=_share(states.block_gradients_bytes, cards),
            head_gradients_bytes=_share(states.head_gradients_bytes, cards),
            optimizer_bytes=_share(master + moments, cards),
            # The share of the gradients in fp32.
            step_scratch_bytes=_share(master, cards),
        ),
        gathered_bytes=_gathered(states, shape, numerics) if third else 0,
        standing_bytes=bucket,
    )


def _gathered(states: States, shape: ModelShape, numerics: Numerics) -> int:
    """Two blocks and the tables, in the dtype they are computed in."""
    layers = max(shape.stored_layers, 1)
    outside = shape.parameters - layers * shape.block_parameters
    if numerics.quantized:
        packed = states.weights_bytes - outside * numerics.head_weights
        block = max(packed, 0) // layers
        tables = outside * numerics.head_weights
    else:
        block = shape.block_parameters * numerics.compute
        tables = outside * numerics.compute
    adapters = states.adapters_bytes // layers
    return _GATHERED_BLOCKS * (block + adapters) + tables


def _share(bytes_: int, cards: int) -> int:
    return -(-bytes_ // cards)
