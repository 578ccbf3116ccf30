"""The search: exact about what fits, its front undominated, its best really the fastest."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

import hwdb
from planner.advice.rows import over_rows, rows_held, with_lengths
from planner.advice.settings import Asked, DataFacts
from planner.budget import budget_of_card
from planner.memory.estimate import estimate_memory
from planner.search.answers import best, front, rejected, smallest_change, toggles
from planner.search.asides import kept_tokens, lost_text, shorter
from planner.search.explore import SETTINGS, Configuration, Explored, explore
from planner.search.space import structures
from planner.speed.step_time import estimate_time
from planner.speed.work import Execution
from planner.units import GIB
from tests.planner.samples import known_model

_SHAPE = known_model("llama-3.2-1b")
_CARD = hwdb.find_card("rtx-4090")
_LENGTHS = tuple(range(60, 500, 3))
_DATA = DataFacts(
    path="train.jsonl",
    layout="prompt_completion",
    rows=len(_LENGTHS),
    longest_tokens=max(_LENGTHS),
    lengths_exact=True,
    how="counted",
    lengths=_LENGTHS,
)
_FEW = Asked(sequence_tokens=512, loss="chunked", attention="sdpa")


def _explored(gib: float, asked: Asked = _FEW, rows: int = 16) -> Explored:
    every = list(structures(_SHAPE, asked, budget_of_card(_CARD), _DATA))
    return explore(_SHAPE, every, _CARD, round(gib * GIB), _LENGTHS, rows)


@pytest.fixture(scope="module")
def explored() -> Explored:
    """A few hundred configurations in 6 GiB."""
    return _explored(6.0)


def test_everything_asked_for_is_more_than_ten_thousand() -> None:
    """The whole space, timed without a single memory estimate."""
    whole = _explored(6.0, Asked(sequence_tokens=512))

    assert len(whole.configurations) >= 10_000
    assert whole.estimates == 0


def test_whether_one_fits_is_what_the_estimate_says(explored: Explored) -> None:
    """The short cuts of the search change no verdict."""
    for one in explored.configurations[::17]:
        needed = estimate_memory(_SHAPE, with_lengths(one.request, _LENGTHS)).needed.high_bytes
        assert explored.fits(one) == (needed <= explored.capacity_bytes), one.words


def test_the_best_is_the_fastest_that_fits(explored: Explored) -> None:
    """No configuration that fits is more than half a percent faster."""
    for runnable in (True, False):
        chosen = best(explored, runnable=runnable)
        assert chosen is not None
        faster = [
            one
            for one in explored.configurations
            if one.seconds_per_row < chosen.seconds_per_row / 1.006
            and (one.runnable or not runnable)
        ]
        assert not any(explored.fits(one) for one in faster)


def test_nothing_on_the_front_is_beaten_in_both(explored: Explored) -> None:
    """Slower means lighter, and no other configuration that fits is faster and lighter."""
    found = front(explored)
    assert len(found) > 2

    for (one, needed), (other, less) in pairwise(found):
        assert one.seconds_per_row < other.seconds_per_row
        assert needed > less
    for one in explored.configurations[::11]:
        if explored.fits(one):
            needed = explored.needed(one).expected_bytes
            assert not all(
                one.seconds_per_row < 0.99 * known.seconds_per_row and needed < least
                for known, least in found
            )


def test_the_front_is_what_plain_estimates_of_all_give(explored: Explored) -> None:
    """No need that was taken for granted changes which configurations are on it."""
    lightest: int | None = None
    expected: list[tuple[Configuration, int]] = []
    for one in sorted(explored.configurations, key=lambda one: one.seconds_per_row):
        needed = estimate_memory(_SHAPE, with_lengths(one.request, _LENGTHS)).needed
        if needed.high_bytes > explored.capacity_bytes:
            continue
        if lightest is None or needed.expected_bytes < lightest:
            lightest = needed.expected_bytes
            if expected and one.seconds_per_row <= 1.005 * expected[-1][0].seconds_per_row:
                expected.pop()
            expected.append((one, lightest))

    assert front(explored) == expected


def test_toggles_change_one_setting_and_say_its_price(explored: Explored) -> None:
    """Checkpoints back on: slower and lighter."""
    chosen = best(explored, runnable=True)
    assert chosen is not None
    assert chosen.structure.checkpointing == "none"

    priced = {(one.setting, one.value): one for one in toggles(explored, chosen)}

    assert priced["checkpointing", "full"].time_fraction > 0.2
    assert priced["checkpointing", "full"].memory_bytes < 0
    assert ("compile", "yes") in priced
    assert {setting for setting, _ in priced} <= set(SETTINGS)


def test_every_other_value_has_a_reason(explored: Explored) -> None:
    """What was not chosen lost for something."""
    chosen = best(explored, runnable=True)
    assert chosen is not None

    reasons = {(one.setting, one.value): one.reason for one in rejected(explored, chosen)}

    assert reasons["checkpointing", "full"].endswith("% slower")
    assert "no plain launch runs it" in reasons["compile", "yes"]
    assert reasons["batching", "padded"].endswith("% slower")
    assert all(reasons.values())


def test_rows_that_are_cut_and_a_second_card_have_their_price(explored: Explored) -> None:
    """Both stand beside the space: one changes what is learned, the other no launch runs."""
    chosen = best(explored, runnable=True)
    assert chosen is not None
    priced = {(one.setting, one.value): one for one in toggles(explored, chosen)}
    cuts = [one for one in priced.values() if one.setting == "sequence_tokens"]

    assert cuts
    assert all(one.memory_bytes <= 0 and one.runnable for one in cuts)
    assert priced["sharding", "ddp on 2"].time_fraction < -0.3
    assert not priced["sharding", "ddp on 2"].runnable


def test_a_cut_keeps_the_share_of_tokens_it_is_named_for() -> None:
    """The shortest multiple of 64 that does."""
    lengths = (*[100] * 96, *[1000] * 4)

    assert list(shorter(lengths, 1000)) == [832]
    assert kept_tokens(lengths, 832) / sum(lengths) >= 0.95
    assert lost_text(lengths, 832) == "cuts 4 rows, 4.9 % of tokens"


def test_the_smallest_change_that_fits(explored: Explored) -> None:
    """From a batch of 16 with all activations kept, one setting away."""
    wanted = max(
        explored.configurations,
        key=lambda one: (one.micro_batch, one.structure.checkpointing == "none", one.runnable),
    )
    change = smallest_change(explored, wanted.words)

    assert change is not None
    assert explored.fits(change)
    assert _changes(change, wanted) == min(
        _changes(one, wanted) for one in explored.configurations if explored.fits(one)
    )


def test_nothing_fits_into_too_little() -> None:
    """None, for each question."""
    tight = _explored(1.5, Asked(method="full", sequence_tokens=512, attention="sdpa"))

    assert best(tight, runnable=False) is None
    assert front(tight) == []


def _changes(one: Configuration, other: Configuration) -> int:
    return sum(a != b for a, b in zip(one.words, other.words, strict=True))


def test_every_time_is_what_the_plans_estimator_says(explored: Explored) -> None:
    """Packed, grouped or not, accumulated or in one micro-batch, compiled or not."""
    for one in explored.configurations[::7]:
        execution = Execution(compiled=one.compiled)
        request = over_rows(one.request, _LENGTHS)
        time = estimate_time(_SHAPE, request, _CARD, execution)
        assert time is not None
        rows = one.micro_batch * one.accumulation * rows_held(request, _LENGTHS)
        assert one.seconds_per_row == pytest.approx(time.step.expected / rows), one.words


def test_one_micro_batch_may_fit_where_two_smaller_ones_do_not() -> None:
    """Only a step of several keeps gradients while it runs, and need is not taken to grow there."""
    settings = Asked(
        method="full", sequence_tokens=64, loss="chunked", attention="sdpa",
        optimizer="paged-adamw-8bit", checkpointing="full",
    )  # fmt: skip
    found = _explored(24.0, settings, rows=4)
    whole, halves = (
        next(
            one
            for one in found.configurations
            if (one.micro_batch, one.batching, one.compiled) == (micro, "random", False)
        )
        for micro in (4, 2)
    )
    assert found.needed(whole).high_bytes < found.needed(halves).high_bytes

    between = found.needed(whole).high_bytes / GIB + 0.001
    found = _explored(between, settings, rows=4)

    assert found.fits(whole)
    assert not found.fits(halves)


def test_the_front_reaches_every_configuration_within_half_a_percent() -> None:
    """Also where each step of many is nearly as fast as the last: whole spaces, weighed by hand."""
    draw = Random(12)
    for _ in range(12):
        settings = Asked(
            method=draw.choice(("full", "lora", "qlora")), sequence_tokens=512, loss="chunked",
            attention=draw.choice(("sdpa", "eager")), optimizer="paged-adamw-8bit",
        )  # fmt: skip
        found = _explored(draw.uniform(3.0, 9.0), settings, rows=draw.choice((4, 6, 16)))
        fitting = [
            (one, found.needed(one).expected_bytes)
            for one in found.configurations
            if found.fits(one)
        ]
        edge = front(found)
        for one, needed in fitting:
            assert any(
                other.seconds_per_row <= 1.0051 * one.seconds_per_row and least <= needed
                for other, least in edge
            ), one.words
