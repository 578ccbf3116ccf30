"""The caching allocator on hand-made streams of tensors."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from planner.memory.allocator import Event, Replay, replay, smallest_budget
from planner.units import MIB

EXPANDABLE = pytest.mark.parametrize("expandable", [False, True], ids=["classic", "expandable"])


def stream(*steps: tuple[str, float] | str) -> list[Event]:
    """("a", 3) makes tensor a of 3 MiB, "a" frees it."""
    numbers: dict[str, int] = {}
    sizes: dict[str, int] = {}
    events: list[Event] = []
    for step in steps:
        if isinstance(step, str):
            events.append((numbers[step], -sizes[step]))
            continue
        name, mib = step
        numbers[name], sizes[name] = len(numbers), int(mib * MIB)
        events.append((numbers[name], sizes[name]))
    return events


def reserved_mib(events: list[Event], *, expandable: bool = False) -> float:
    return replay(events, expandable=expandable).peak_reserved_bytes / MIB


@EXPANDABLE
def test_small_tensors_share_a_segment_of_two_mebibytes(expandable):
    """Tensors of up to 1 MiB are cut from 2 MiB segments."""
    assert reserved_mib(stream(("a", 0.5), ("b", 1), ("c", 0.25)), expandable=expandable) == 2
    assert reserved_mib(stream(("a", 1), ("b", 1), ("c", 0.25)), expandable=expandable) == 4


def test_middle_sized_tensors_come_from_segments_of_twenty_mebibytes():
    """Below 10 MiB a request takes 20 MiB, which the next ones share."""
    assert reserved_mib(stream(("a", 2))) == 20
    assert reserved_mib(stream(("a", 8), ("b", 8))) == 20
    assert reserved_mib(stream(("a", 8), ("b", 8), ("c", 8))) == 40


def test_large_tensors_get_segments_of_their_own_rounded_size():
    """From 10 MiB on a segment has the request's size in steps of 2 MiB."""
    assert reserved_mib(stream(("a", 10))) == 10
    assert reserved_mib(stream(("a", 30.5), ("b", 11))) == 32 + 12


def test_the_smallest_free_block_that_is_large_enough_is_taken():
    """A 30 MiB tensor goes where 30 MiB were freed, and leaves the 50 MiB for the next."""
    events = stream(("a", 50), ("b", 30), "a", "b", ("c", 30), ("d", 50))

    assert reserved_mib(events) == 80


def test_what_is_left_of_a_large_block_is_split_off_only_above_one_mebibyte():
    """A remainder of at most 1 MiB stays with the tensor and counts as allocated."""
    kept = replay(stream(("a", 20), "a", ("b", 19.5)), expandable=False)
    split = replay(stream(("a", 20), "a", ("b", 12), ("c", 8)), expandable=False)

    assert kept.peak_allocated_bytes == 20 * MIB
    assert split.peak_reserved_bytes == 20 * MIB


def test_freed_neighbours_join():
    """Two freed halves of a block serve a tensor of their common size."""
    halves = (("a", 40), "a", ("b", 20), ("c", 20), "b", "c", ("d", 40))

    assert reserved_mib(stream(*halves)) == 40


def test_segments_do_not_join():
    """Two freed segments of 20 MiB cannot serve 40 MiB together."""
    events = stream(("a", 20), ("b", 20), "a", "b", ("c", 40))

    assert reserved_mib(events) == 80
    assert reserved_mib(events, expandable=True) == 40


def test_freed_segments_are_given_back_when_the_driver_refuses():
    """Within 50 MiB the 20 MiB segments are returned, then 40 MiB are taken."""
    events = stream(("a", 20), ("b", 20), "a", "b", ("c", 40))
    capped = replay(events, expandable=False, cap_bytes=50 * MIB)

    assert capped == Replay(
        peak_allocated_bytes=40 * MIB, peak_reserved_bytes=40 * MIB, ran_out=False
    )


def test_a_segment_with_one_living_tensor_cannot_be_given_back():
    """Fragmentation makes a stream run out although what lives would fit; pages do not."""
    events = stream(
        ("a", 40), "a", ("b", 12), ("c", 28), "c", ("d", 40), "d", ("e", 60),
    )  # fmt: skip

    assert replay(events, expandable=False, cap_bytes=96 * MIB).ran_out
    assert not replay(events, expandable=True, cap_bytes=96 * MIB).ran_out


def test_a_stream_runs_out_where_its_tensors_do_not_fit():
    """What lives at once is more than the cap."""
    result = replay(stream(("a", 30), ("b", 30)), expandable=True, cap_bytes=50 * MIB)

    assert result.ran_out
    assert result.peak_allocated_bytes == 30 * MIB


def test_an_expandable_segment_grows_behind_its_free_end():
    """60 MiB reuse the 40 free ones at the end and map 20 more."""
    assert reserved_mib(stream(("a", 40), "a", ("b", 60)), expandable=True) == 60
    assert reserved_mib(stream(("a", 40), "a", ("b", 60))) == 100


def test_freeing_what_was_never_made_changes_nothing():
    """Deaths of unknown tensors are passed over."""
    assert replay([(7, -MIB)], expandable=False).peak_reserved_bytes == 0


def random_stream(seed: int) -> list[Event]:
    """A few hundred tensors of mixed sizes, made and freed in random order."""
    chance = random.Random(seed)
    living: dict[int, int] = {}
    events: list[Event] = []
    for number in range(400):
        size = int(MIB * chance.choice((0.01, 0.3, 1.5, 6, 12, 33, 70)) * chance.uniform(0.5, 1))
        living[number] = size
        events.append((number, size))
        while len(living) > 12 or (living and chance.random() < 0.3):
            freed = chance.choice(list(living))
            events.append((freed, -living.pop(freed)))
    return events


@EXPANDABLE
@pytest.mark.parametrize("seed", range(6))
def test_any_stream_lives_within_its_smallest_budget(seed, expandable):
    """The budget lies between what is allocated and what is reserved, and is enough."""
    events = random_stream(seed)
    free = replay(events, expandable=expandable)
    budget = smallest_budget(events, expandable=expandable, precision_bytes=MIB)
    alive = peak = 0
    for _, change in events:
        alive += change
        peak = max(peak, alive)

    assert free.peak_allocated_bytes >= peak
    assert free.peak_reserved_bytes >= free.peak_allocated_bytes
    assert peak <= budget <= free.peak_reserved_bytes
    assert not replay(events, expandable=expandable, cap_bytes=budget).ran_out


@EXPANDABLE
def test_a_second_round_of_the_same_tensors_reserves_nothing_more(expandable):
    """Equal steps reuse the cached blocks of the first."""
    once = stream(("a", 3), ("b", 25), "a", ("c", 0.2), "b", "c")
    events = [(number + 10 * turn, change) for turn in range(4) for number, change in once]

    assert reserved_mib(events, expandable=expandable) == reserved_mib(once, expandable=expandable)


@EXPANDABLE
def test_a_larger_cap_never_needs_more(expandable):
    """Peaks of reserved bytes stay within every cap that is enough."""
    events = random_stream(11)
    budget = smallest_budget(events, expandable=expandable)
    caps = [budget, budget + 40 * MIB, budget + 400 * MIB]
    results = [replay(events, expandable=expandable, cap_bytes=cap) for cap in caps]

    assert all(not result.ran_out for result in results)
    assert all(r.peak_reserved_bytes <= cap for r, cap in zip(results, caps, strict=True))
    assert all(a.peak_allocated_bytes > 0 for a, _ in pairwise(results))
