"""A moment of a step that may be its peak."""

from __future__ import annotations

from typing import Literal, NamedTuple

from planner.memory.batch_bytes import NO_BYTES, BatchBytes, MomentsBytes

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
    temporaries: BatchBytes = NO_BYTES

    def at(self, tokens: int, length: int) -> Candidate:
        """The candidate of a batch of so many tokens in rows of `length`."""
        beyond = self.temporaries.at(tokens, length)
        return Candidate(self.phase, self.where, self.gradients_bytes, 0, 0, beyond)

    def plus(self, fixed: int) -> Growing:
        """With so many bytes more, whatever the batch is."""
        return self._replace(temporaries=self.temporaries.plus(fixed)) if fixed else self


class FromTokens(NamedTuple):
    """One candidate up to so many tokens of a batch, another above."""

    tokens: int
    below: Growing
    above: Growing

    @property
    def phase(self) -> Phase:
        """That of both."""
        return self.below.phase

    def at(self, tokens: int, length: int) -> Candidate:
        """The candidate of a batch of so many tokens in rows of `length`."""
        return (self.above if tokens > self.tokens else self.below).at(tokens, length)

    def plus(self, fixed: int) -> FromTokens:
        """With so many bytes more, whatever the batch is."""
        return FromTokens(self.tokens, self.below.plus(fixed), self.above.plus(fixed))


class InPass(NamedTuple):
    """The largest moment of a block's pass with all that is kept around it.

    Which of them it is the batch decides, and only that one is written out.
    """

    phase: Phase
    moments: MomentsBytes
    gradients_bytes: int
    """Gradients that are there beside those the pass itself makes."""
    kept: BatchBytes
    beyond: BatchBytes
    """Temporaries that are there beside those of the pass."""
    added_gradients_bytes: int | None = None
    """Of the largest gradient, where one is added to an older one and freed; None: they stay."""
    differentiated: bool = True
    """Whether backward follows, for which operations keep what they save."""

    def at(self, tokens: int, length: int) -> Candidate:
        """The candidate of a batch of so many tokens in rows of `length`."""
        name, total, saved, own = self.moments.largest(tokens, length)
        if not self.differentiated:
            total += self.beyond.at(tokens, length)
            return Candidate(self.phase, "block", temporaries_bytes=total)
        stay = own
        if self.added_gradients_bytes is not None:
            stay, own = 0, own - min(own, self.added_gradients_bytes)
        return Candidate(
            self.phase,
            name,
            self.gradients_bytes + stay,
            self.kept.at(tokens, length) + saved,
            0,
            total - saved - own + self.beyond.at(tokens, length),
        )

    def plus(self, fixed: int) -> InPass:
        """With so many bytes more, whatever the batch is."""
        return self._replace(beyond=self.beyond.plus(fixed)) if fixed else self


Entry = Growing | FromTokens | InPass
"""A moment that may be the peak, for any batch."""
