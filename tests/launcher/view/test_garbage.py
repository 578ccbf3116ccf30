"""Whatever stands in events.jsonl, every screen of a run can be drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.runs.folder import RunFolder
from launcher.view.ended import Ended, kind_of_end
from launcher.view.looking import Looking, Size
from launcher.view.progress import RunProgress
from launcher.view.reader import UNREADABLE
from launcher.view.screen.ending import EndLooking, end_screen
from launcher.view.screen.layout import run_lines
from launcher.view.spans import width_of
from tests.launcher.view.recordings import finished, on_a_card, two_cards

_WHOLE = [*finished(on_a_card(steps=20)).events, *two_cards().events[:40]]
_FIELDS = sorted({name for event in _WHOLE for name in event})
_TYPES = sorted({event["type"] for event in _WHOLE} | {"failed", "recovery", "warning", "phase"})
_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=1),
)
_GARBAGE = st.dictionaries(st.sampled_from(_FIELDS), _VALUES, max_size=6)


@settings(max_examples=80, deadline=None)
@given(
    garbage=st.lists(
        st.tuples(st.integers(0, len(_WHOLE)), st.sampled_from(_TYPES), _GARBAGE), max_size=12
    ),
    size=st.sampled_from([(80, 23), (120, 39), (60, 15), (1, 1)]),
)
def test_no_event_can_break_a_screen(
    garbage: list[tuple[int, str, dict[str, Any]]], size: tuple[int, int]
) -> None:
    """Fields of any kind in events of any type, between those of a real run."""
    events = list(_WHOLE)
    for at, kind, fields in garbage:
        events.insert(at, fields | {"type": kind})
    progress = RunProgress()
    for event in events:
        try:
            progress.apply(event)
        except UNREADABLE:
            continue
    shown = Size(columns=size[0], rows=size[1])

    for chart in ("memory", "loss", "speed"):
        lines = run_lines(progress, shown, Looking(chart=chart, cursor=0.5), folder="runs/a")
        assert {width_of(line) for line in lines} == {size[0]}
    for liveness in ("finished", "failed", "interrupted", "lost"):
        ended = Ended(kind=kind_of_end(progress, liveness))
        end_screen(progress, ended, RunFolder(Path("runs/a")), shown, EndLooking())
