"""The run that is planned takes the fastest batch and checkpointing that fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

import hwdb
from planner.advice.fastest import Faster, fastest
from planner.memory.estimate import estimate_memory
from planner.memory.once import estimate_once
from planner.speed.step_time import estimate_time
from planner.units import GIB
from tests.planner.samples import known_model, request_of

_SHAPE = known_model("llama-3.2-1b")
_H100 = hwdb.find_card("h100-sxm5-80gb")
_LEAST = request_of("lora", micro_batch=1, accumulation=16, sequence_tokens=512)
_SHORT_ROWS = tuple(range(100, 500, 5))


def _faster(gib: float, lengths: tuple[int, ...] | None = None) -> Faster | None:
    return fastest(_SHAPE, _LEAST, card=_H100, free_bytes=round(gib * GIB), lengths=lengths)


def test_with_room_nothing_is_computed_twice_and_rows_go_together() -> None:
    """On a large card: no checkpoints, several rows at once, the same rows a step."""
    faster = _faster(70)
    assert faster is not None

    request = faster.request
    assert request.checkpointing == "none"
    assert request.micro_batch > 1
    assert request.micro_batch * request.accumulation == 16
    assert set(faster.reasons) == {"checkpointing", "micro_batch", "accumulation"}
    assert "% less time" in faster.reasons["checkpointing"]


@pytest.mark.parametrize("gib", [4.5, 6, 8, 12, 20])
def test_what_is_chosen_fits_with_room_left_and_is_no_slower(gib: float) -> None:
    """The upper end of the need stays 8 % below what is free."""
    faster = _faster(gib)
    if faster is None:
        return

    needed = estimate_memory(_SHAPE, faster.request).needed
    assert needed.high_bytes <= 0.921 * gib * GIB
    before, after = (estimate_time(_SHAPE, step, _H100) for step in (_LEAST, faster.request))
    assert before is not None
    assert after is not None
    assert after.step.expected < before.step.expected


def test_without_room_the_step_that_needs_least_stays() -> None:
    """Nothing else fits into what it takes itself."""
    needed = estimate_memory(_SHAPE, _LEAST).needed.high_bytes

    assert fastest(_SHAPE, _LEAST, card=_H100, free_bytes=needed, lengths=None) is None


def test_unequal_rows_are_padded_and_that_is_weighed() -> None:
    """Rows at once carry a mask; the time counts what they are filled up with."""
    faster = _faster(70, _SHORT_ROWS)
    assert faster is not None

    assert faster.request.padded == (faster.request.micro_batch > 1)


def test_activations_are_kept_where_the_speed_is_unknown_and_there_is_room() -> None:
    """A card without a rate, a CPU: computed once is never slower; the batch stays as it is."""
    amd = hwdb.find_card("rx-7900-xtx")
    cpu = replace(_LEAST, device="cpu")

    for least, card in ((_LEAST, amd), (cpu, None)):
        faster = fastest(_SHAPE, least, card=card, free_bytes=24 * GIB, lengths=None)
        assert faster is not None
        assert faster.request == replace(least, checkpointing="none")


def test_half_of_a_hosts_free_memory_is_left_to_others() -> None:
    """What fits on a card of that size does not on a machine that people work at."""
    cpu = replace(_LEAST, device="cpu")
    kept = estimate_once(_SHAPE, replace(cpu, checkpointing="none")).needed.high_bytes

    assert fastest(_SHAPE, cpu, card=None, free_bytes=kept * 3 // 2, lengths=None) is None


def test_nothing_is_sped_up_where_the_memory_is_unknown() -> None:
    """Nobody can say what fits."""
    assert fastest(_SHAPE, _LEAST, card=_H100, free_bytes=None, lengths=None) is None
