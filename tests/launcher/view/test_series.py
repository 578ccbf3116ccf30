"""launcher/view/series.py: a day in as many buckets as a minute, and no peak is lost."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from launcher.view.series import MOST_BUCKETS, Series, highest, mean


def filled(*values: tuple[float, float]) -> Series:
    series = Series()
    for seconds, value in values:
        series.add(seconds, value)
    return series


@given(
    st.lists(
        st.tuples(st.floats(0, 1e6, allow_nan=False), st.floats(-1e9, 1e9, allow_nan=False)),
        min_size=1,
        max_size=200,
    )
)
def test_the_peak_is_always_shown(values: list[tuple[float, float]]) -> None:
    """However long the run and however narrow the chart, its highest column is the peak."""
    series = filled(*values)
    last = max(seconds for seconds, _ in values)

    columns = series.columns(10, end_seconds=last + 1, of=highest)

    assert max(each for each in columns if each is not None) == max(value for _, value in values)
    assert len(series) <= MOST_BUCKETS


def test_memory_does_not_grow_with_time() -> None:
    """A week of samples takes the buckets of an hour."""
    series = Series()
    for hour in range(24 * 7 * 60):
        series.add(hour * 60.0, 1.0)

    assert len(series) <= MOST_BUCKETS
    assert series.width_seconds > 1000


def test_time_to_come_is_empty_and_gaps_keep_the_last_value() -> None:
    """Between two values the first one holds; behind the last one there is nothing."""
    series = filled((0.0, 1.0), (8.0, 3.0))

    assert series.columns(5, end_seconds=20, of=highest) == [1.0, 1.0, 3.0, None, None]


def test_what_is_no_number_changes_nothing() -> None:
    """Neither a NaN nor a time before the start."""
    series = filled((math.nan, 1.0), (1.0, math.inf), (-1.0, 5.0))

    assert len(series) == 0
    assert series.columns(3, end_seconds=10, of=mean) == [None, None, None]


def test_a_moment_can_be_asked_for() -> None:
    """The value then, or the last one before it."""
    series = filled((1.0, 10.0), (5.0, 20.0))

    assert [series.value_at(at, of=mean) for at in (0.2, 1.2, 3.0, 5.1, 99.0)] == [
        None,
        10.0,
        10.0,
        20.0,
        20.0,
    ]
