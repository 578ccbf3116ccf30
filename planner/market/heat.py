"""What fits where: the verdict on every batch and length of a step on one card."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from planner.market.job import CardAnswer
from planner.memory.estimate import Fits, verdict_of
from planner.memory.once import estimate_once

BATCHES = (1, 2, 4, 8, 16, 32)
LENGTHS = (256, 512, 1024, 2048, 4096, 8192)


class Cell(NamedTuple):
    """One batch at one length."""

    micro_batch: int
    sequence_tokens: int
    needed_bytes: int
    fits: Fits | None


def heat_map(answer: CardAnswer) -> list[list[Cell]]:
    """A row for every batch; the other settings are those of the plan on that card."""
    chosen = answer.answer
    if chosen is None:
        return []
    longest = chosen.shape.max_context_tokens or LENGTHS[-1]
    lengths = [length for length in LENGTHS if length <= longest]
    return [[_cell(answer, batch, length) for length in lengths] for batch in BATCHES]


def _cell(answer: CardAnswer, batch: int, length: int) -> Cell:
    chosen = answer.answer
    assert chosen is not None
    # Rows as they are asked about: of one length and side by side, however the plan has them.
    request = replace(
        chosen.request,
        micro_batch=batch,
        sequence_tokens=length,
        batching="random",
        padded=batch > 1,
    )
    needed = estimate_once(chosen.shape, request).needed
    verdict = verdict_of(needed, chosen.verdict.capacity_bytes)
    return Cell(batch, length, needed.expected_bytes, verdict.fits)
