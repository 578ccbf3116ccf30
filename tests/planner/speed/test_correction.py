"""Times after what was measured here: by finished runs, and by a rehearsal."""

from __future__ import annotations

import pytest

import hwdb
from planner.speed.correction import TimedRun, corrected_time, correction_of
from planner.speed.rehearsed import MeasuredStep, rehearsed_time
from planner.speed.step_time import TimeEstimate, estimate_time
from tests.planner.samples import known_model, request_of


def _estimate() -> TimeEstimate:
    shape, card = known_model("llama-3.2-1b"), hwdb.find_card("rtx-3060-12gb")
    time = estimate_time(shape, request_of(), card)
    assert time is not None
    return time


def test_three_runs_that_agree_move_the_estimate_to_them() -> None:
    """A quarter slower each: most of the way, the interval narrower, the truth inside."""
    plain = _estimate()
    time = corrected_time(plain, correction_of([TimedRun(2.0, 2.5)] * 3))

    truth = 1.25 * plain.step.expected
    assert time.step.expected == pytest.approx(truth, rel=0.06)
    assert time.step.low < truth < time.step.high
    assert time.step.high / time.step.low < plain.step.high / plain.step.low
    assert (time.situation, time.runs) == ("here", 3)


def test_a_run_that_stands_apart_moves_nothing() -> None:
    """Ten times as long was another program's doing; twice as long among equals too."""
    assert correction_of([TimedRun(2.0, 20.0)]) is None
    alike = [TimedRun(2.0, 2.1)] * 4

    assert correction_of([*alike, TimedRun(2.0, 4.0)]) == correction_of(alike)


def test_without_runs_the_estimate_stays() -> None:
    """To the digit."""
    plain = _estimate()

    assert corrected_time(plain, correction_of([])) == plain


def test_rehearsed_steps_are_brought_to_the_tokens_of_a_usual_one() -> None:
    """A sample with a tenth more tokens than usual took a tenth longer than usual steps will."""
    step = rehearsed_time([MeasuredStep(1.1, 1100), MeasuredStep(2.2, 2200)], 1500).step

    assert step.expected == pytest.approx(1.5)
    assert step.low == pytest.approx(1.5 * 0.97)
    assert step.high == pytest.approx(1.5 * 1.03)


def test_rehearsed_steps_that_differ_leave_more_open() -> None:
    """Repeats that lie ten percent apart promise less than three."""
    step = rehearsed_time([MeasuredStep(1.0, None), MeasuredStep(1.1, None)], None).step

    assert step.expected == pytest.approx(1.05)
    assert step.low < 1.0
    assert step.high > 1.1
