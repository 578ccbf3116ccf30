"""How far a method can go in a memory: the longest sequence and largest batch that still fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from planner.memory.estimate import estimate_memory
from planner.request import TrainingRequest
from planner.shape import ModelShape

_TOKENS_STEP = 64
_LONGEST = 1 << 20
_MOST_ROWS = 4096


def largest_sequence_tokens(
    shape: ModelShape, request: TrainingRequest, capacity_bytes: int | None
) -> int | None:
    """Longest row, in steps of 64 tokens, whose interval fits; 0 if none, None without capacity."""
    if capacity_bytes is None:
        return None
    longest = min(shape.max_context_tokens or _LONGEST, _LONGEST)

    def fits(steps: int) -> bool:
        longer = replace(request, sequence_tokens=steps * _TOKENS_STEP)
        return _fits(shape, longer, capacity_bytes)

    return _largest(fits, most=max(1, longest // _TOKENS_STEP)) * _TOKENS_STEP


def largest_micro_batch(
    shape: ModelShape, request: TrainingRequest, capacity_bytes: int | None
) -> int | None:
    """Most rows at once whose interval fits; None without a capacity, 0 if none."""
    if capacity_bytes is None:
        return None

    def fits(rows: int) -> bool:
        return _fits(shape, replace(request, micro_batch=rows), capacity_bytes)

    return _largest(fits, most=_MOST_ROWS)


def _fits(shape: ModelShape, request: TrainingRequest, capacity_bytes: int) -> bool:
    return estimate_memory(shape, request).needed.high_bytes <= capacity_bytes


def _largest(fits: Callable[[int], bool], *, most: int) -> int:
    """Largest n up to `most` for which `fits(n)` holds; fits never comes back once it is lost."""
    if not fits(1):
        return 0
    low = 1
    while low < most and fits(min(low * 2, most)):
        low = min(low * 2, most)
    high = min(low * 2, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
