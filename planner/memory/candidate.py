"""A moment of a step that may be its peak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from planner.memory.batch_bytes import NO_BYTES, BatchBytes

Phase = Literal["load", "forward", "loss", "backward", "optimizer", "evaluate", "save"]


class Candidate(NamedTuple):
    """A moment that may be the peak, beyond the states that are always there."""

    phase: Phase
    where: str
    gradients_bytes: int = 0
    activations_bytes: int = 0
    """Kept for backward."""
    logits_bytes: int = 0
    temporaries_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """Everything beyond weights, adapters and optimizer state."""
        return (
            self.gradients_bytes
            + self.activations_bytes
            + self.logits_bytes
            + self.temporaries_bytes
        )


class Growing(NamedTuple):
    """A candidate before the batch is known."""

    phase: Phase
    where: str
    gradients_bytes: int = 0
    activations: BatchBytes = NO_BYTES
    temporaries: BatchBytes = NO_BYTES
    chosen_by: BatchBytes = NO_BYTES
    """Of several that stand for one moment, the largest by this is the one."""

    def at(self, tokens: int, length: int) -> Candidate:
        """The candidate of a batch of so many tokens in rows of `length`."""
        return Candidate(
            self.phase,
            self.where,
            self.gradients_bytes,
            self.activations.at(tokens, length),
            0,
            self.temporaries.at(tokens, length),
        )


def largest_at(choices: Sequence[Growing], tokens: int, length: int) -> Candidate:
    """The one that is the largest moment of a pass with this batch."""
    if len(choices) == 1:
        return choices[0].at(tokens, length)
    return max(choices, key=lambda each: each.chosen_by.at(tokens, length)).at(tokens, length)
