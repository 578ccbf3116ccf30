"""Which rows are kept back from training, to measure on rows never learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from planner.advice.settings import FEWEST_ROWS_TO_HOLD_OUT

_KEYS = 1 << 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Row numbers, counted from 0 and in file order, on either side."""

    train_indices: tuple[int, ...]
    held_out_indices: tuple[int, ...]
    reason: str
    """Why this many are held out."""


def is_held_out(key: int, fraction: float) -> bool:
    """Whether a row with this key is held out: by what it holds, whatever stands around it."""
    return key < fraction * _KEYS


def hold_out(keys: Sequence[int], fraction: float) -> Split:
    """Hold out about a `fraction` of the rows with these keys (64-bit hashes of the rows).

    A row's side depends on its own key alone, so rows that are added, removed or moved change
    nothing for the others, and equal rows are on one side. Of FEWEST_ROWS_TO_HOLD_OUT rows or more
    one is always held out, the one with the smallest key if it must be, of fewer none.
    A fraction of 0 holds out none. Raises ValueError without rows or for a fraction outside
    0 to 1.
    """
    count = len(keys)
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction must be at least 0 and below 1, got {fraction}")
    held_out: set[int] = set()
    if fraction == 0:
        reason = "none held out, as asked"
    elif count < FEWEST_ROWS_TO_HOLD_OUT:
        reason = f"none held out: {count} rows are fewer than {FEWEST_ROWS_TO_HOLD_OUT}"
    else:
        held_out = {index for index, key in enumerate(keys) if is_held_out(key, fraction)}
        held_out = held_out or _equal_to_smallest(keys)
        if len(held_out) == count:
            held_out = set()
        reason = f"{len(held_out)} of {count} rows held out, about {100 * fraction:g} %, by hash"
    return Split(
        train_indices=tuple(index for index in range(count) if index not in held_out),
        held_out_indices=tuple(sorted(held_out)),
        reason=reason,
    )


def _equal_to_smallest(keys: Sequence[int]) -> set[int]:
    smallest = min(keys)
    return {index for index, key in enumerate(keys) if key == smallest}
