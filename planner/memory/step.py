"""The peak of one training step: every phase's largest moment, and the largest of those.

A step is written once for a model and its settings; a batch and a length make numbers of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from planner.memory import classifying, head, outside
from planner.memory.batch_bytes import BatchBytes
from planner.memory.candidate import Candidate, Entry
from planner.memory.head import HeadBytes
from planner.memory.kept import Kept
from planner.memory.known_blocks import block_bytes
from planner.memory.last_norm import last_norm
from planner.memory.ledger import Ledger
from planner.memory.numerics import Numerics, numerics_of
from planner.memory.sharding import Sharding, sharding_of
from planner.memory.stacks.own_model import has_own_model
from planner.memory.states import States, roots_in_backward, states_of
from planner.request import TrainingRequest
from planner.shape import ModelShape


class Step(NamedTuple):
    """A step's states and the moments that may be its peak."""

    states: States
    candidates: list[Candidate]
    totals: list[int]
    """All bytes of each candidate."""
    gathered_bytes: int = 0
    """Of each but the optimizer's step: whole weights of which the card holds a share."""

    @property
    def peak(self) -> Candidate:
        """The largest moment."""
        return self.candidates[self.totals.index(max(self.totals))]


class WrittenStep(NamedTuple):
    """A step of one model and one request's settings, for any batch."""

    sharding: Sharding
    entries: list[Entry]
    head: Callable[[TrainingRequest], HeadBytes]
    kept_at_loss: BatchBytes
    temporaries_at_loss: BatchBytes
    held_at_end: BatchBytes | None
    """What the model's forward holds while it ends; None: logits are more."""
    accumulated_gradients_bytes: int
    stepped_head_bytes: int
    """The gradient of a head that is stepped with within backward, and as much aside; 0: none."""

    def at(self, request: TrainingRequest) -> Step:
        """The step of a request's batch; its other settings are those this was written for."""
        tokens, length = request.tokens, request.sequence_tokens
        candidates = [entry.at(tokens, length) for entry in self.entries]
        candidates += self._with_head(request, tokens, length)
        totals = [
            gradients + activations + logits + temporaries
            for _, _, gradients, activations, logits, temporaries in candidates
        ]
        return Step(self.sharding.states, candidates, totals, self.sharding.gathered_bytes)

    def _with_head(self, request: TrainingRequest, tokens: int, length: int) -> list[Candidate]:
        """The loss's forward and backward, and the loss while measuring."""
        head, on = self.head(request), self.sharding.on
        kept = self.kept_at_loss.at(tokens, length) + head.saved
        gradients = self.accumulated_gradients_bytes
        beside = self.temporaries_at_loss.at(tokens, length)
        ends = []
        if self.held_at_end is not None:
            held = beside + self.held_at_end.at(tokens, length)
            ends = [on(Candidate("loss", "last norm", gradients, kept, head.forward, held))]
        if self.stepped_head_bytes:
            ends.append(on(Candidate("loss", "head's step", self.stepped_head_bytes, kept)))
        return [
            *ends,
            on(Candidate("loss", "loss forward", gradients, kept, head.forward, beside)),
            on(Candidate("loss", "loss backward", gradients, kept, head.backward)),
            on(Candidate("evaluate", "loss", logits_bytes=head.forward + head.copied)),
        ]


def step_of(shape: ModelShape, request: TrainingRequest) -> Step:
    """Every moment of a step that may be its peak."""
    return written_step(shape, request).at(request)


def written_step(shape: ModelShape, request: TrainingRequest) -> WrittenStep:
    """The step of this model with these settings; the request's batch does not matter."""
    numerics = numerics_of(request, shape.family)
    sharding = sharding_of(states_of(shape, request, numerics), shape, request, numerics)
    states = sharding.states
    block = block_bytes(shape, request)
    kept = Kept(shape, request, numerics, block)
    ledger = Ledger(shape, request, numerics, states, kept, block.frozen)
    entries = [
        *ledger.entries(),
        outside.evaluate(block.moments, ledger.held_while_measuring()),
        outside.save(shape, request, numerics),
    ]
    return WrittenStep(
        sharding=sharding,
        entries=[
            *sharding.load(),
            *outside.load(shape, request, states),
            *map(sharding.on_entry, entries),
        ],
        head=_head(shape, request, numerics, block.stream_bytes),
        kept_at_loss=ledger.kept_at_loss(),
        temporaries_at_loss=ledger.temporaries_at_loss(),
        held_at_end=ledger.held_at_end() if request.task != "causal-lm" else None,
        accumulated_gradients_bytes=ledger.accumulated,
        stepped_head_bytes=_stepped_head_bytes(shape, request, numerics),
    )


def _stepped_head_bytes(shape: ModelShape, request: TrainingRequest, numerics: Numerics) -> int:
    if shape.tied or not roots_in_backward(request):
        return 0  # a tied table waits for the gradient of the embeddings
    return 2 * shape.head_parameters * numerics.weights


def _head(
    shape: ModelShape, request: TrainingRequest, numerics: Numerics, stream_bytes: int
) -> Callable[[TrainingRequest], HeadBytes]:
    """What computes the head's bytes of a batch."""
    if request.task != "causal-lm":
        decoder = shape.family.kind == "decoder"
        norm = last_norm(shape, request, numerics, stream_bytes) if decoder else None
        return partial(classifying.head_bytes, shape, numerics, norm, stream_bytes)
    if not has_own_model(shape, request):
        norm = head.norm_before_head(shape, request, numerics, stream_bytes)
        return partial(head.head_bytes, shape, numerics, norm)
    # Few ask about the other libraries, and the quick check is to be quick.
    if request.stack == "litgpt":
        from planner.memory.stacks import litgpt

        return partial(litgpt.head_bytes, shape, numerics)
    from planner.memory.stacks import torchtune

    return partial(torchtune.head_bytes, shape, numerics)
