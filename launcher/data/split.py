"""Which rows are kept back from training, to measure on rows never learned."""

from __future__ import annotations

import random
from dataclasses import dataclass

FEWEST_ROWS_TO_SPLIT = 10
"""Below this a held-out row says too little and costs too much of what is learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Row numbers, counted from 0 and in file order, on either side."""

    train_indices: tuple[int, ...]
    held_out_indices: tuple[int, ...]
    reason: str
    """Why this many are held out."""


def hold_out(count: int, fraction: float, seed: int) -> Split:
    """Hold out a random `fraction` of `count` rows; the same seed gives the same rows.

    At least one row is held out from FEWEST_ROWS_TO_SPLIT rows on, none below. A fraction of
    0 holds out none. Raises ValueError for a count below 1 or a fraction outside 0 to 1.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction must be at least 0 and below 1, got {fraction}")
    held_out_count, reason = _held_out_count(count, fraction)
    # random() is the one method whose sequence Python promises to keep between versions.
    draw = random.Random(seed)
    ranks = [draw.random() for _ in range(count)]
    held_out = set(sorted(range(count), key=ranks.__getitem__)[:held_out_count])
    return Split(
        train_indices=tuple(index for index in range(count) if index not in held_out),
        held_out_indices=tuple(sorted(held_out)),
        reason=reason,
    )


def _held_out_count(count: int, fraction: float) -> tuple[int, str]:
    if fraction == 0:
        return 0, "none held out, as asked"
    if count < FEWEST_ROWS_TO_SPLIT:
        return 0, f"none held out: {count} rows are fewer than {FEWEST_ROWS_TO_SPLIT}"
    wanted = min(max(1, round(count * fraction)), count - 1)
    return wanted, f"{wanted} of {count} rows held out, {100 * fraction:g} % or at least one"
