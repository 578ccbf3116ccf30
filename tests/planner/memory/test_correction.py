"""Runs here correct the next estimate, and one bad run does not."""

from __future__ import annotations

import pytest

from planner.memory.correction import Measured, corrected
from planner.memory.estimate import MemoryEstimate, estimate_memory
from planner.units import GIB, MIB
from tests.planner.samples import known_model, request_of

_BEYOND = 400 * MIB


def _estimate() -> MemoryEstimate:
    return estimate_memory(known_model("llama-3.2-1b"), request_of("lora"))


def _run(beyond: int, allocated_beyond: int | None = None) -> Measured:
    estimated = 8 * GIB
    return Measured(
        estimated_bytes=estimated,
        measured_bytes=estimated + beyond,
        estimated_allocated_bytes=7 * GIB,
        measured_allocated_bytes=None if allocated_beyond is None else 7 * GIB + allocated_beyond,
    )


def test_without_runs_nothing_changes() -> None:
    """The estimate is what it was."""
    assert corrected(_estimate(), []) == _estimate()


@pytest.mark.parametrize(("count", "share"), [(1, 1 / 2), (3, 3 / 4), (19, 19 / 20)])
def test_every_run_counts_as_much_as_the_estimate_itself(count: int, share: float) -> None:
    """One run moves it half the way, many nearly all of it, and the parts still add up."""
    before = _estimate()
    after = corrected(before, [_run(_BEYOND)] * count)

    moved = after.device.expected_bytes - before.device.expected_bytes
    assert moved == pytest.approx(share * _BEYOND, abs=1)
    assert after.needed.expected_bytes - before.needed.expected_bytes == moved
    assert after.parts.total_bytes == after.device.expected_bytes
    assert (after.basis.tier, after.basis.runs) == ("measured", count)
    assert after.uncorrected_bytes == before.device.expected_bytes


def test_runs_that_agree_narrow_the_interval() -> None:
    """Three that differ by little leave less doubt than the formula had."""
    before = _estimate()
    after = corrected(before, [_run(_BEYOND + each * MIB) for each in (-5, 0, 5)])

    width = after.device.high_bytes - after.device.low_bytes
    assert width < before.device.high_bytes - before.device.low_bytes
    assert after.device.low_bytes < after.device.expected_bytes < after.device.high_bytes


def test_a_few_runs_that_agree_leave_room_for_one_that_does_not() -> None:
    """Three alike keep more than half of the band, thirty a third of it."""
    before = _estimate()
    few, many = (corrected(before, [_run(_BEYOND)] * count) for count in (3, 30))

    def above(estimate: MemoryEstimate) -> int:
        return estimate.device.high_bytes - estimate.device.expected_bytes

    assert 0.6 < above(few) / above(before) < 0.8
    assert 0.2 < above(many) / above(before) < 0.4


@pytest.mark.parametrize("bad", [2 * GIB, -2 * GIB, 20 * GIB, -7 * GIB])
def test_one_bad_run_does_not_spoil_it(bad: int) -> None:
    """A run beside another program, or one whose peak was missed, is left out."""
    good = [_run(_BEYOND + each * MIB) for each in (-20, 0, 10, 20)]
    with_it = corrected(_estimate(), [_run(bad), *good])

    assert with_it == corrected(_estimate(), good)


def test_only_an_implausible_run_teaches_nothing() -> None:
    """Where it stands alone it is left out too."""
    assert corrected(_estimate(), [_run(5 * GIB)]) == _estimate()


def test_tensors_are_corrected_by_what_tensors_took() -> None:
    """The driver's share does not move allocated bytes."""
    before = _estimate()
    after = corrected(before, [_run(_BEYOND, allocated_beyond=0)] * 5)

    assert after.allocated.expected_bytes == before.allocated.expected_bytes


def test_no_process_is_smaller_than_its_tensors() -> None:
    """A correction downwards ends where the runtime's share does."""
    after = corrected(_estimate(), [_run(-2 * GIB)] * 5)

    assert after.parts.runtime_bytes == 0
    assert after.parts.total_bytes == after.device.expected_bytes
