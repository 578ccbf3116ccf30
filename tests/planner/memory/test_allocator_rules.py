"""Any stream of tensors, served by the planner's allocator and by a plain one side by side."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.memory.allocator import Event, Replay, replay
from planner.units import MIB
from tests.planner.memory.plain_allocator import PlainAllocator

EDGES = [
    edge + beside
    for edge in (512, MIB, 2 * MIB, 10 * MIB, 20 * MIB, 30 * MIB, 40 * MIB)
    for beside in (-MIB - 512, -MIB, -513, -1, 0, 1, 512, MIB, MIB + 512)
    if edge + beside > 0
]
"""Sizes on both sides of every rule."""

SIZES = st.one_of(
    st.sampled_from(EDGES), st.integers(1, 3 * MIB), st.integers(MIB, 70 * MIB)
)  # fmt: skip
STREAMS = st.lists(st.one_of(SIZES, st.floats(0, 0.999)), min_size=1, max_size=45)
"""A size makes a tensor, a share frees the tensor that stands there among the living."""
CAPS = st.one_of(st.none(), st.integers(1, 90).map(lambda pages: pages * 2 * MIB))


def events_of(stream: list[int | float]) -> list[Event]:
    living: list[tuple[int, int]] = []
    events: list[Event] = []
    for number, step in enumerate(stream):
        if isinstance(step, int):
            living.append((number, step))
            events.append((number, step))
        elif living:
            freed, size = living.pop(int(step * len(living)))
            events.append((freed, -size))
    return events


@settings(max_examples=150, deadline=None)
@given(stream=STREAMS, cap=CAPS, expandable=st.booleans())
def test_allocated_reserved_and_the_point_where_it_runs_out_follow_the_plain_rules(
    stream, cap, expandable
):
    """After every request both have allocated and reserved as much, or both have run out."""
    events = events_of(stream)
    plain = PlainAllocator(expandable=expandable, cap_bytes=cap)
    allocated = reserved = 0
    for count, (tensor, change) in enumerate(events, start=1):
        if change < 0:
            plain.free(tensor)
            continue
        served = plain.malloc(tensor, change)
        if served:
            allocated = max(allocated, plain.allocated)
        reserved = max(reserved, plain.reserved)  # pages are kept though the rest was refused
        ours = replay(events[:count], expandable=expandable, cap_bytes=cap)

        assert ours.ran_out == (not served)
        assert ours.peak_allocated_bytes == allocated
        assert ours.peak_reserved_bytes == reserved
        if not served:
            break


@pytest.mark.parametrize("expandable", [False, True], ids=["classic", "expandable"])
def test_long_streams_in_little_room_go_on_or_end_alike(expandable):
    """Few sizes that often recur, in 85 to 100 % of what they took without a limit."""
    chance = random.Random(7)
    outcomes = []
    for _ in range(80):
        sizes = chance.sample(EDGES, 4) + [chance.randrange(MIB // 4, 70 * MIB) for _ in range(3)]
        steps = [(chance.random(), chance.choice(sizes)) for _ in range(150)]
        events = events_of([size if share > 0.5 else 2 * share for share, size in steps])
        most = replay(events, expandable=expandable).peak_reserved_bytes
        cap = int(most * chance.uniform(0.85, 1))
        ours = replay(events, expandable=expandable, cap_bytes=cap)

        assert ours == plainly_replayed(events, expandable=expandable, cap_bytes=cap)

        outcomes.append(ours.ran_out)
    assert 10 < sum(outcomes) < 70


def plainly_replayed(events: list[Event], *, expandable: bool, cap_bytes: int) -> Replay:
    plain = PlainAllocator(expandable=expandable, cap_bytes=cap_bytes)
    allocated = reserved = 0
    ran_out = False
    for tensor, change in events:
        if change < 0:
            plain.free(tensor)
            continue
        ran_out = not plain.malloc(tensor, change)
        reserved = max(reserved, plain.reserved)
        if ran_out:
            break
        allocated = max(allocated, plain.allocated)
    return Replay(peak_allocated_bytes=allocated, peak_reserved_bytes=reserved, ran_out=ran_out)
