"""A moment of a step that may be its peak."""

from __future__ import annotations

from typing import Literal, NamedTuple

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
