"""Times corrected by what runs here really took: a factor, for speed scales all of a step.

A card that runs slower than its kind, another driver or a host with slow cores moves every step
alike, so the median of measured over estimated is what the next estimate is multiplied with.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from typing import NamedTuple

from planner.speed.seconds import Seconds
from planner.speed.step_time import TimeEstimate

_IMPLAUSIBLE = 3.0
"""A run this many times slower or faster than its estimate was something else."""
_APART = 3.5
"""Deviations from the median beyond which a run is left out (modified z-score)."""
_NORMAL = 1.4826
"""Median absolute deviation to standard deviation."""
_LEAST_SPREAD = 0.03
"""Other batches and lengths of one machine differ by at least that, in log."""
_NINETY = 1.645
_OTHER_SETTINGS = (0.86, 1.16)
"""What 90 of 100 published runs kept to, once one run of the machine at other settings was known
(bench/step_time.py, other sizes after one run)."""
_ENOUGH = 3
"""From this many runs on, their own spread may make the interval narrower."""


class TimedRun(NamedTuple):
    """A finished run's usual step, beside the estimate it had before any correction."""

    estimated_seconds: float
    measured_seconds: float


class TimeCorrection(NamedTuple):
    """What runs here say about the next one."""

    factor: float
    low: float
    """The interval's ends, as multiples of what is expected then."""
    high: float
    runs: int


def correction_of(runs: Sequence[TimedRun]) -> TimeCorrection | None:
    """The correction after runs of the same machine, stack and method; None without any.

    The estimate itself counts like one run, so a single one moves it half the way, in log.
    """
    logs = [log(run.measured_seconds / run.estimated_seconds) for run in runs if _plausible(run)]
    if len(logs) >= _ENOUGH:
        middle = _median(logs)
        usual = _NORMAL * _median([abs(each - middle) for each in logs])
        reach = _APART * max(usual, _LEAST_SPREAD)
        logs = [each for each in logs if abs(each - middle) <= reach]
    if not logs:
        return None
    low, high = _OTHER_SETTINGS
    middle = _median(logs)
    factor = exp(len(logs) / (len(logs) + 1) * middle)
    if len(logs) >= _ENOUGH:
        spread = max(_NORMAL * _median([abs(each - middle) for each in logs]), _LEAST_SPREAD)
        low, high = max(low, exp(-_NINETY * spread)), min(high, exp(_NINETY * spread))
    # What the estimate's own weight leaves uncorrected lies inside too.
    left = exp(middle) / factor
    return TimeCorrection(factor, low * min(1.0, left), high * max(1.0, left), len(logs))


def corrected_time(time: TimeEstimate, correction: TimeCorrection | None) -> TimeEstimate:
    """The estimate after these runs; its own interval where that is the narrower one."""
    if correction is None:
        return time
    step = time.step
    expected = step.expected * correction.factor
    low = max(step.low / step.expected, correction.low)
    high = min(step.high / step.expected, correction.high)
    tokens = time.tokens_per_second.expected / correction.factor
    return TimeEstimate(
        step=Seconds(expected, expected * low, expected * high),
        tokens_per_second=Seconds(tokens, tokens / high, tokens / low),
        situation="here",
        runs=correction.runs,
    )


def _plausible(run: TimedRun) -> bool:
    ratio = run.measured_seconds / run.estimated_seconds
    return 1 / _IMPLAUSIBLE < ratio < _IMPLAUSIBLE


def _median(values: Sequence[float]) -> float:
    """The middle one; `statistics` would take longer than the whole estimate to import."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
