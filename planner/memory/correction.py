"""Estimates corrected by what runs here really took: a constant, never a factor.

What an estimate misses on one machine and stack, such as the driver's context or a library's
workspace, is about the same for every run there. So the median of what earlier runs took beyond
their own estimates is added. Runs that stand apart from the others are left out: a run beside
another program, or one whose peak was missed, must not move the next plan.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from planner.memory.estimate import MemoryEstimate
from planner.memory.interval import Band, Basis

_IMPLAUSIBLE = 0.35
"""A run this share away from its estimate is no measurement of what the estimate misses."""
_APART = 3.5
"""Deviations from the median beyond which a run is left out (modified z-score)."""
_NORMAL = 1.4826
"""Median absolute deviation to standard deviation."""
_LEAST_SPREAD = 0.01
"""Share of the estimate that runs of one kind differ by at least."""
_ENOUGH = 3
"""From this many runs on, their own spread makes the interval narrower, and an outlier is one."""
_OF_THE_ESTIMATE = 3
"""As many runs the estimate's own interval counts for: runs that were alike say little of one that
is not, and three say little of their own spread."""
_NINETY = 1.645
"""Standard deviations on either side of 90 % of a normal distribution."""


class Measured(NamedTuple):
    """What a finished run took, beside the estimate it had before any correction."""

    estimated_bytes: int
    """Of the device; of the process on a CPU."""
    measured_bytes: int
    estimated_allocated_bytes: int
    measured_allocated_bytes: int | None
    """None on a CPU."""

    @property
    def beyond_bytes(self) -> int:
        """What it took beyond its estimate."""
        return self.measured_bytes - self.estimated_bytes

    @property
    def allocated_beyond_bytes(self) -> int | None:
        """The same of the bytes of its tensors."""
        if self.measured_allocated_bytes is None:
            return None
        return self.measured_allocated_bytes - self.estimated_allocated_bytes


class Spread(NamedTuple):
    """How far runs lie apart."""

    half_bytes: int
    """Half of an interval that holds 90 of 100 such runs."""
    runs: int


def corrected(estimate: MemoryEstimate, runs: Sequence[Measured]) -> MemoryEstimate:
    """The estimate after these runs of the same machine, stack and method.

    The estimate itself counts like one run, so a single one moves it half the way.
    """
    used = _plausible(runs)
    if not used:
        return estimate
    weight = _weight(used)
    shift = round(weight * _median(run.beyond_bytes for run in used))
    # Below its tensors no process can be.
    shift = max(shift, -estimate.parts.runtime_bytes)
    tensors = [each for run in used if (each := run.allocated_beyond_bytes) is not None]
    tensor_shift = round(weight * _median(tensors)) if tensors else 0
    spread = _spread([run.beyond_bytes for run in used], estimate.device.expected_bytes)
    own = Spread(spread, len(used)) if len(used) >= _ENOUGH else None
    tensor_own = None
    if len(tensors) >= _ENOUGH:
        tensor_own = Spread(_spread(tensors, estimate.allocated.expected_bytes), len(tensors))
    errors = [abs(run.beyond_bytes) / run.estimated_bytes for run in used]
    return estimate._replace(
        allocated=_moved(estimate.allocated, tensor_shift, tensor_own),
        reserved=_moved(estimate.reserved, shift, own),
        needed=_moved(estimate.needed, shift, own),
        device=_moved(estimate.device, shift, own),
        parts=estimate.parts._replace(runtime_bytes=estimate.parts.runtime_bytes + shift),
        basis=Basis(
            tier="measured", runs=len(used), median_error_fraction=round(_median(errors), 4)
        ),
        uncorrected_bytes=estimate.device.expected_bytes,
        uncorrected_allocated_bytes=estimate.allocated.expected_bytes,
    )


def learned_shift(runs: Sequence[Measured]) -> int:
    """Bytes that these runs add to an estimate of the device."""
    used = _plausible(runs)
    return round(_weight(used) * _median(run.beyond_bytes for run in used)) if used else 0


def _weight(used: Sequence[Measured]) -> float:
    """The estimate itself counts like one run."""
    return len(used) / (len(used) + 1)


def corrected_by(basis: Basis) -> str:
    """The runs that corrected an estimate, behind a semicolon; nothing where none did."""
    if basis.tier != "measured":
        return ""
    return f"; corrected by {basis.runs} run{'' if basis.runs == 1 else 's'} here"


def _median(values: Iterable[float]) -> float:
    """The middle one; `statistics` would take longer than the whole estimate to import."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _plausible(runs: Sequence[Measured]) -> list[Measured]:
    near = [run for run in runs if abs(run.beyond_bytes) <= _IMPLAUSIBLE * run.estimated_bytes]
    if len(near) < _ENOUGH:
        return near
    middle = _median(run.beyond_bytes for run in near)
    usual = _NORMAL * _median(abs(run.beyond_bytes - middle) for run in near)
    return [
        run
        for run in near
        if abs(run.beyond_bytes - middle)
        <= _APART * max(usual, _LEAST_SPREAD * run.estimated_bytes)
    ]


def _spread(values: Sequence[int], expected_bytes: int) -> int:
    """Half of an interval that holds 90 of 100 such runs."""
    middle = _median(values)
    usual = _NORMAL * _median(abs(value - middle) for value in values)
    return round(_NINETY * max(usual, _LEAST_SPREAD * expected_bytes))


def _moved(band: Band, shift: int, own: Spread | None) -> Band:
    """A band moved; narrower where the runs' own spread is, the more of them the nearer to it."""
    expected = max(band.expected_bytes + shift, 0)
    below = band.expected_bytes - band.low_bytes
    above = band.high_bytes - band.expected_bytes
    if own is not None:
        below, above = _narrowed(below, own), _narrowed(above, own)
    return Band(
        expected_bytes=expected, low_bytes=max(expected - below, 0), high_bytes=expected + above
    )


def _narrowed(side_bytes: int, own: Spread) -> int:
    """One side of a band after these runs, its square and theirs weighed by their number."""
    weighed = _OF_THE_ESTIMATE * side_bytes**2 + own.runs * own.half_bytes**2
    return min(side_bytes, round(math.sqrt(weighed / (_OF_THE_ESTIMATE + own.runs))))
