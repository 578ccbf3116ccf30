"""Holding rows out of training."""

from __future__ import annotations

import pytest

from launcher.data.split import hold_out


def test_the_same_seed_holds_out_the_same_rows() -> None:
    """A run and its evaluation agree on the rows without talking to each other."""
    assert hold_out(100, 0.1, seed=3) == hold_out(100, 0.1, seed=3)
    assert hold_out(100, 0.1, seed=3) != hold_out(100, 0.1, seed=4)


def test_the_rows_held_out_never_change() -> None:
    """A later version resumes and evaluates runs of this one."""
    assert hold_out(20, 0.2, seed=7).held_out_indices == (3, 6, 8, 10)


@pytest.mark.parametrize(
    ("count", "fraction", "held_out", "reason"),
    [
        (240, 0.05, 12, "12 of 240 rows held out, 5 % or at least one"),
        (10, 0.05, 1, "1 of 10 rows held out, 5 % or at least one"),
        (12, 0.025, 1, "1 of 12 rows held out, 2.5 % or at least one"),
        (10, 0.99, 9, "9 of 10 rows held out, 99 % or at least one"),
        (9, 0.5, 0, "none held out: 9 rows are fewer than 10"),
        (1, 0.5, 0, "none held out: 1 rows are fewer than 10"),
        (100, 0.0, 0, "none held out, as asked"),
    ],
)
def test_how_many_rows_are_held_out(
    count: int, fraction: float, held_out: int, reason: str
) -> None:
    """At least one row of ten or more, none of fewer, and a word on why."""
    split = hold_out(count, fraction, seed=0)

    assert len(split.held_out_indices) == held_out
    assert split.reason == reason
    assert sorted(split.train_indices + split.held_out_indices) == list(range(count))
    assert list(split.train_indices) == sorted(split.train_indices)


@pytest.mark.parametrize(("count", "fraction"), [(0, 0.1), (10, 1.0), (10, -0.1)])
def test_impossible_splits_are_refused(count: int, fraction: float) -> None:
    """The message names the value that is out of bounds."""
    with pytest.raises(ValueError, match="must be at least"):
        hold_out(count, fraction, seed=0)
