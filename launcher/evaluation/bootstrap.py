"""How sure a mean or a difference is: the paired bootstrap (Efron 1979, percentile interval)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

_RESAMPLES = 2000
_SEED = 20_261_126
_TAIL = 0.025

Statistic = Callable[[Sequence[int]], float]
"""Of rows, given by their numbers; a number can come several times."""


class Interval(NamedTuple):
    """A value and the 95 % interval around it."""

    value: float
    low: float
    high: float


def mean_interval(values: Sequence[float], bounds: tuple[float, float] | None = None) -> Interval:
    """The mean of values, one a row; of differences between two conditions for a paired one.

    Rows that are all alike say nothing of how rows differ, and drawing them again gives no
    spread: where values have `bounds`, the share of other rows that so few could have missed
    (Clopper and Pearson 1934) is then taken to lie there. Raises ValueError without values.
    """
    if bounds is not None and values and min(values) == max(values):
        value, missed = values[0], 1 - _TAIL ** (1 / len(values))
        lowest, highest = bounds
        return Interval(
            value, value - missed * (value - lowest), value + missed * (highest - value)
        )
    return interval_of(lambda rows: sum(values[row] for row in rows) / len(rows), len(values))


def interval_of(statistic: Statistic, rows: int) -> Interval:
    """A statistic of `rows` rows and its interval; the same rows give the same interval."""
    if rows < 1:
        raise ValueError("an interval needs at least one row")
    draw = random.Random(_SEED)
    everyone = range(rows)
    drawn = sorted(statistic(draw.choices(everyone, k=rows)) for _ in range(_RESAMPLES))
    low = drawn[int(_TAIL * _RESAMPLES)]
    high = drawn[int((1 - _TAIL) * _RESAMPLES) - 1]
    return Interval(statistic(everyone), low, high)
