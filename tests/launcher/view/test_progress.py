"""launcher/view/progress.py and sentences.py: from events to what is shown."""

from __future__ import annotations

import pytest

from launcher.view.progress import RunProgress
from launcher.view.screen.numbers import time_left
from launcher.view.sentences import sentence
from launcher.view.series import mean
from tests.launcher.view.replay import plan_event, progress_of, step_event


def test_progress_is_what_the_events_say() -> None:
    """Phase, step, losses, peak and the plan's band come from events alone."""
    progress = progress_of(
        plan_event(),
        {"type": "phase", "phase": "training"},
        {"type": "memory", "host_bytes": 100, "host_peak_bytes": 300},
        {"type": "memory", "host_bytes": 200, "host_peak_bytes": None},
        step_event(1, total=4, loss=4.0),
        step_event(2, total=4, loss=2.0),
    )

    assert (progress.phase, progress.numbers.step, progress.done_fraction()) == ("training", 2, 0.5)
    assert (progress.memories[0].now_bytes, progress.peak_bytes) == (200, 300)
    assert progress.losses.columns(2, end_seconds=5, of=mean) == [4.0, 2.0]
    assert progress.plan is not None
    assert progress.plan.model == "smollm2-135m-instruct"


@pytest.mark.parametrize(
    ("total", "done", "expected"),
    [(20, 2, None), (20, 3, 34.0), (100, 9, None), (100, 10, 180.0)],
)
def test_the_time_left_waits_until_it_means_something(
    total: int, done: int, expected: float | None
) -> None:
    """It needs three steps, ten when there are more than fifty."""
    steps = [step_event(each, total=total) for each in range(1, done + 1)]

    assert progress_of(*steps).seconds_left() == expected


@pytest.mark.parametrize(("done", "expected"), [(1, 99 * 3.8), (5, 95 * 3.0), (10, 90 * 2.0)])
def test_until_ten_steps_the_plan_counts_less_with_each(done: int, expected: float) -> None:
    """Steps of 4 s were planned and take 2 s: after the tenth only they count."""
    steps = [step_event(each, total=100) for each in range(1, done + 1)]

    progress = progress_of(plan_event(expected_step_seconds=4.0), *steps)

    assert progress.seconds_left() == pytest.approx(expected)
    assert time_left(progress).endswith("planned") == (done < 10)


def test_the_time_left_follows_the_last_fifty_steps() -> None:
    """Steps that were slow long ago no longer count."""
    slow = [step_event(each, total=200, seconds=100.0) for each in range(1, 51)]
    fast = [step_event(each, total=200, seconds=1.0) for each in range(51, 101)]

    assert progress_of(*slow, *fast).seconds_left() == 100.0


def test_a_new_attempt_forgets_how_the_last_one_ended() -> None:
    """After a resume the failure is over; losses and peaks go on."""
    progress = progress_of(
        plan_event(),
        step_event(1, total=4),
        {"type": "failed", "code": 75, "reason": "stopped on request", "hints": []},
    )
    assert progress.failure is not None
    assert progress.failure.interrupted

    again = progress_of(
        plan_event(), step_event(1, total=4), {"type": "failed", "code": 75}, plan_event(attempt=2)
    )
    assert again.failure is None
    assert (again.attempt, again.numbers.step) == (2, 1)


def test_the_time_between_two_attempts_does_not_count() -> None:
    """A run that was resumed the next day did not take a day."""
    progress = progress_of(
        plan_event() | {"seconds": 0.0},
        step_event(1, total=4, seconds=60.0),
        plan_event(attempt=2) | {"seconds": 86_400.0},
        {"type": "phase", "phase": "training", "seconds": 86_430.0},
    )

    assert progress.seconds == 90.0


def test_an_unknown_event_changes_nothing() -> None:
    """A later version may write types that this one does not know."""
    progress = progress_of({"type": "sunshine", "amount": 3})

    assert (progress.phase, list(progress.lines)) == ("starting", [])


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"type": "checkpoint", "step": 40, "bytes": 18_000_000}, "saved step 40 (17.2 MiB)"),
        ({"type": "evaluation", "step": 0, "loss": 4.5}, "held-out loss 4.500 at step 0"),
        ({"type": "warning", "message": "row 3 is cut"}, "warning: row 3 is cut"),
        ({"type": "step", "step": 1}, None),
    ],
)
def test_events_have_words(event: dict[str, object], expected: str | None) -> None:
    """What a person wants to know gets a sentence, numbers that only move get none."""
    assert sentence(event) == expected


def test_text_of_a_model_cannot_steer_the_terminal() -> None:
    """Control characters in messages are not shown."""
    progress = RunProgress()
    progress.apply({"type": "warning", "message": "a\x1b[2Jb\nc"})

    assert progress.lines[0].endswith("warning: a [2Jb c")
