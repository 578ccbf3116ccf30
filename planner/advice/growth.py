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

    def needs(steps: int) -> int:
        return _needs(shape, replace(request, sequence_tokens=steps * _TOKENS_STEP))

    most = max(1, longest // _TOKENS_STEP)
    return _largest(needs, capacity_bytes, most=most) * _TOKENS_STEP


def largest_micro_batch(
    shape: ModelShape, request: TrainingRequest, capacity_bytes: int | None
) -> int | None:
    """Most rows at once whose interval fits; None without a capacity, 0 if none."""
    if capacity_bytes is None:
        return None

    def needs(rows: int) -> int:
        return _needs(shape, replace(request, micro_batch=rows))

    return _largest(needs, capacity_bytes, most=_MOST_ROWS)


def largest_trained_layers(
    shape: ModelShape, request: TrainingRequest, capacity_bytes: int | None, *, most: int
) -> int | None:
    """Most last layers, up to `most`, that can be trained; None without a capacity, 0 if none."""
    if capacity_bytes is None:
        return None
    if most < 1:
        return 0

    def needs(layers: int) -> int:
        return _needs(shape, replace(request, trainable_layers=layers))

    return _largest(needs, capacity_bytes, most=most)


def _needs(shape: ModelShape, request: TrainingRequest) -> int:
    return estimate_memory(shape, request).needed.high_bytes


def _largest(needs: Callable[[int], int], capacity_bytes: int, *, most: int) -> int:
    """Largest n up to `most` that needs no more than `capacity_bytes`; needs never falls.

    A need is nearly a straight line, so the next n to ask about is where the line between the two
    ends meets the capacity; every other time the middle, which bounds the number of questions.
    """
    low, low_needs = 1, needs(1)
    if low_needs > capacity_bytes:
        return 0
    high, high_needs = most, needs(most)
    if high_needs <= capacity_bytes:
        return most
    straight = True
    while high - low > 1:
        share = (capacity_bytes - low_needs) / (high_needs - low_needs) if straight else 0.5
        asked = min(max(low + int((high - low) * share), low + 1), high - 1)
        found = needs(asked)
        if found <= capacity_bytes:
            low, low_needs = asked, found
        else:
            high, high_needs = asked, found
        straight = not straight
    return low
