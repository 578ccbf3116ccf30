"""launcher/view/verdict.py, cards.py and time_left.py: sentences and the numbers behind them."""

from __future__ import annotations

from typing import Any

import pytest

from launcher.view.cards import DeviceMemory, memory_kinds
from launcher.view.run_facts import PlannedRun
from launcher.view.screen.memory import kinds_that_add_up
from launcher.view.spans import Line, text_of
from launcher.view.verdict import NOT_YET, peak_sentence, room_sentence
from launcher.view.words import gib_as
from tests.launcher.view.recordings import plan_fields
from tests.launcher.view.replay import GIB, plan_event, progress_of, step_event

PLAN = PlannedRun(**{name: plan_fields().get(name) for name in PlannedRun.__dataclass_fields__})  # type: ignore[arg-type]


def verdict(gib: float | None, steps: int = 2) -> str:
    peak = None if gib is None else int(gib * GIB)
    return text_of(peak_sentence(PLAN, peak_bytes=peak, steps=steps))


@pytest.mark.parametrize(
    ("gib", "expected"),
    [
        (18.9, "peak 18.9 of 19.4 predicted (-3 %, inside 18.4-20.4)"),
        (21.2, "peak 21.2 of 19.4 predicted (+9 %, above the band by 0.8)"),
        (16.4, "peak 16.4 of 19.4 predicted (-15 %, below the band by 2.0)"),
        (20.42, "peak 20.4 of 19.4 predicted (+5 %, just above the band)"),
    ],
)
def test_the_peak_is_judged_in_a_sentence(gib: float, expected: str) -> None:
    """Measured, predicted, difference, and where that lies against the band."""
    assert verdict(gib) == expected


def test_before_the_first_step_there_is_no_verdict() -> None:
    """A peak that is still to come is not judged."""
    assert verdict(15.0, steps=0) == NOT_YET
    assert verdict(None) == NOT_YET


def _kinds(**newest: Any) -> tuple[str, Line]:
    memory = DeviceMemory()
    memory.apply(newest, device="cuda", seconds=1.0)
    kinds = memory_kinds(memory, device="cuda", planned_free_bytes=23 * GIB)
    parts = kinds_that_add_up(kinds, lambda count: gib_as(count, 19 * GIB))
    return "+".join(parts), room_sentence(kinds, 19 * GIB)


def test_the_kinds_of_memory_add_up_as_they_are_shown() -> None:
    """16.94, 1.37 and 0.64 would round to 16.9 + 1.4 + 0.6; they make 18.9 or 19.0, not both."""
    parts, room = _kinds(
        device_bytes=int(18.95 * GIB),
        card_used_bytes=int(19.5 * GIB),
        card_free_bytes=int(4.2 * GIB),
        allocated_bytes=int(16.94 * GIB),
        reserved_bytes=int(18.31 * GIB),
    )

    assert sum(float(part) for part in parts.split("+")) == pytest.approx(18.9, abs=0.06)
    assert text_of(room) == "room left 4.2"


def test_little_room_is_said_to_be_tight() -> None:
    """Below a twentieth of what the run could have."""
    _, room = _kinds(device_bytes=20 * GIB, card_free_bytes=GIB // 2, card_used_bytes=21 * GIB)

    assert text_of(room) == "room left 0.5: tight"
    assert room[0].role == "tight"


def test_unknown_numbers_stay_unknown() -> None:
    """A driver that answers nothing leaves dashes, never zeros."""
    parts, room = _kinds(device_bytes=None)

    assert parts == "-+-+-"
    assert room == ()


def test_the_end_is_expected_with_its_pauses() -> None:
    """A pause of 10 s every second step, and what was measured before is measured again."""
    events = [
        {"type": "phase", "phase": "evaluating", "seconds": 0.0},
        {"type": "phase", "phase": "training", "seconds": 30.0},
    ]
    at = 30.0
    for step in range(1, 13):
        at += 2.0 + (10.0 if step > 1 and step % 2 else 0.0)
        events.append(step_event(step, total=100, seconds=2.0) | {"seconds": at})
    left = progress_of(plan_event() | {"seconds": 0.0}, *events).seconds_left()

    assert left is not None
    assert left == pytest.approx(88 * (2.0 + 50 / 11) + 30.0)


def test_half_of_the_first_comparison_is_expected_again() -> None:
    """The base model was asked without and with examples, the tuned one is asked once."""
    events = [
        {"type": "phase", "phase": "comparing", "seconds": 0.0},
        {"type": "phase", "phase": "training", "seconds": 80.0},
        *(
            step_event(step, total=40, seconds=2.0) | {"seconds": 80.0 + 2 * step}
            for step in range(1, 40)
        ),
    ]
    left = progress_of(plan_event() | {"seconds": 0.0}, *events).seconds_left()

    assert left == pytest.approx(2.0 + 40.0)
