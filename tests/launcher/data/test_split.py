"""Holding rows out of training."""

from __future__ import annotations

import random

import pytest

from launcher.data.digest import key_of
from launcher.data.split import hold_out

KEYS = [key_of({"text": f"Row number {number}."}) for number in range(1000)]


def test_a_row_stays_on_its_side_when_rows_are_added() -> None:
    """Growing the data never moves a row from training to measuring, or back."""
    before = {KEYS[i] for i in hold_out(KEYS[:400], 0.1).held_out_indices}
    after = {KEYS[i] for i in hold_out(KEYS, 0.1).held_out_indices}

    assert after & set(KEYS[:400]) == before


def test_the_order_of_rows_does_not_matter() -> None:
    """A shuffled file holds out the same rows."""
    mixed = random.Random(1).sample(KEYS, len(KEYS))

    ours, theirs = hold_out(KEYS, 0.1), hold_out(mixed, 0.1)

    assert {KEYS[i] for i in ours.held_out_indices} == {mixed[i] for i in theirs.held_out_indices}


def test_the_rows_held_out_never_change() -> None:
    """A later version resumes and evaluates runs of this one."""
    assert hold_out(KEYS[:40], 0.1).held_out_indices == (3, 23, 29, 30)


def test_equal_rows_are_on_one_side() -> None:
    """A row that stands in the file twice cannot be learned and measured on."""
    split = hold_out(KEYS[:50] * 2, 0.1)

    assert not {i % 50 for i in split.held_out_indices} & {i % 50 for i in split.train_indices}


def test_about_the_wanted_share_is_held_out() -> None:
    """Hashes are even: of a thousand rows a tenth, give or take three standard deviations."""
    held_out = len(hold_out(KEYS, 0.1).held_out_indices)

    assert abs(held_out - 100) < 3 * (1000 * 0.1 * 0.9) ** 0.5


@pytest.mark.parametrize(
    ("count", "fraction", "held_out", "reason"),
    [
        (12, 0.0001, 1, "1 of 12 rows held out, about 0.01 %, by hash"),
        (9, 0.5, 0, "none held out: 9 rows are fewer than 10"),
        (1, 0.5, 0, "none held out: 1 rows are fewer than 10"),
        (100, 0.0, 0, "none held out, as asked"),
    ],
)
def test_how_many_rows_are_held_out(
    count: int, fraction: float, held_out: int, reason: str
) -> None:
    """At least one row of ten or more, none of fewer, and a word on why."""
    split = hold_out(KEYS[:count], fraction)

    assert len(split.held_out_indices) == held_out
    assert split.reason == reason
    assert sorted(split.train_indices + split.held_out_indices) == list(range(count))
    assert list(split.train_indices) == sorted(split.train_indices)


def test_rows_that_are_all_the_same_are_not_split() -> None:
    """Then nothing would be left to learn from."""
    assert hold_out(KEYS[:1] * 20, 0.1).held_out_indices == ()


@pytest.mark.parametrize(("count", "fraction"), [(0, 0.1), (10, 1.0), (10, -0.1)])
def test_impossible_splits_are_refused(count: int, fraction: float) -> None:
    """The message names the value that is out of bounds."""
    with pytest.raises(ValueError, match="must be at least"):
        hold_out(KEYS[:count], fraction)
