"""A step that was measured at the very settings in place of one that was computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from planner.speed.seconds import Seconds

_DRIFT = (0.97, 1.03)
"""A card that has become warm, and repeats on one software stack, which differ by less than 1 %."""
_NINETY = 1.645
"""Standard deviations on either side of 90 % of a normal distribution."""


class MeasuredStep(NamedTuple):
    """One step of a rehearsal."""

    seconds: float
    tokens: int | None
    """Of the rows themselves, None where nobody counted."""


class RehearsedTime(NamedTuple):
    """What a usual step takes."""

    step: Seconds
    basis: Literal["measured"] = "measured"


def rehearsed_time(steps: Sequence[MeasuredStep], usual_tokens: float | None) -> RehearsedTime:
    """The usual step after these, as many as were measured behind the warm-up; at least one.

    Steps of the same settings take time by their tokens, so a sample with fewer or more of them
    than a usual step has (`usual_tokens`) is brought to that. The interval is what lies between
    repeats, and what so few steps leave open.
    """
    count = len(steps)
    mean = sum(step.seconds for step in steps) / count
    expected = mean * _share(steps, usual_tokens)
    relative = [step.seconds / mean - 1 for step in _at_equal_tokens(steps)]
    variance = sum(each * each for each in relative) / max(1, count - 1)
    open_ = _NINETY * (variance / count) ** 0.5
    low, high = _DRIFT
    return RehearsedTime(
        Seconds(expected, expected * max(0.0, low - open_), expected * (high + open_))
    )


def _share(steps: Sequence[MeasuredStep], usual_tokens: float | None) -> float:
    counted = [step.tokens for step in steps if step.tokens]
    if usual_tokens is None or len(counted) < len(steps):
        return 1.0
    return usual_tokens * len(counted) / sum(counted)


def _at_equal_tokens(steps: Sequence[MeasuredStep]) -> list[MeasuredStep]:
    """The steps as if each had their mean of tokens."""
    counted = [step.tokens for step in steps if step.tokens]
    if len(counted) < len(steps):
        return list(steps)
    mean = sum(counted) / len(counted)
    return [
        MeasuredStep(step.seconds * mean / tokens, tokens)
        for step, tokens in zip(steps, counted, strict=True)
    ]
