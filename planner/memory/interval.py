"""How sure an estimate is: 90 % intervals and what they rest on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from planner.memory.checked import Checked
from planner.memory.runtime import (
    CONTEXT_ABOVE_BYTES,
    CONTEXT_BELOW_BYTES,
    CUDA_CONTEXT_BYTES,
    Footprint,
    context_bytes,
)
from planner.request import TrainingRequest

Tier = Literal["formula", "trace", "probe", "measured"]


class Band(NamedTuple):
    """An expected value with the interval that holds 90 of 100 measured runs."""

    expected_bytes: int
    low_bytes: int
    high_bytes: int

    def at_most(self, bytes_: int, *, high_bytes: int | None = None) -> Band:
        """The interval cut at `bytes_`, its upper end at `high_bytes` where that is given.

        Near the limit the expected value is within a tenth.
        """
        most = bytes_ if high_bytes is None else high_bytes
        return Band(
            expected_bytes=min(self.expected_bytes, bytes_),
            low_bytes=min(self.low_bytes, bytes_ * 9 // 10),
            high_bytes=min(self.high_bytes, most),
        )

    def ending_at(self, bytes_: int) -> Band:
        """The interval without what lies above `bytes_`, down to the expected value."""
        return self._replace(high_bytes=max(min(self.high_bytes, bytes_), self.expected_bytes))

    def not_below(self, other: Band) -> Band:
        """The interval, nothing of it below the same of the other."""
        expected = max(self.expected_bytes, other.expected_bytes)
        return Band(
            expected_bytes=expected,
            low_bytes=min(max(self.low_bytes, other.low_bytes), expected),
            high_bytes=max(self.high_bytes, other.high_bytes),
        )


class Basis(NamedTuple):
    """What an estimate rests on."""

    tier: Tier
    runs: int | None
    """Measured runs it was checked on."""
    median_error_fraction: float | None
    """Of allocated bytes; on a CPU of resident bytes."""


class Spread(NamedTuple):
    """Shares of the expected value."""

    below: float
    above: float


# Shares of the expected value: residuals of third-party runs (bench/residuals.py: the 5th and the
# 95th percentile, rounded up) and, for families that no such run covers, the distance from traced
# steps.
_SPREADS: dict[Checked, dict[str, Spread]] = {
    "close": {
        "allocated": Spread(below=0.004, above=0.006),
        "expandable": Spread(below=0.045, above=0.055),
        "classic": Spread(below=0.05, above=0.08),
        "host": Spread(below=0.12, above=0.12),
    },
    "traced": {
        "allocated": Spread(below=0.02, above=0.02),
        "expandable": Spread(below=0.04, above=0.06),
        "classic": Spread(below=0.08, above=0.15),
        "host": Spread(below=0.15, above=0.15),
    },
    "own stack": {
        "allocated": Spread(below=0.025, above=0.025),
        "expandable": Spread(below=0.04, above=0.07),
        "classic": Spread(below=0.08, above=0.18),
        "host": Spread(below=0.15, above=0.15),
    },
    "known": {
        "allocated": Spread(below=0.08, above=0.18),
        "expandable": Spread(below=0.09, above=0.20),
        "classic": Spread(below=0.15, above=0.30),
        "host": Spread(below=0.15, above=0.22),
    },
    "sharded": {
        "allocated": Spread(below=0.18, above=0.25),
        "expandable": Spread(below=0.18, above=0.28),
        "classic": Spread(below=0.18, above=0.30),
        "host": Spread(below=0.18, above=0.30),
    },
    "sharded adapters": {
        "allocated": Spread(below=0.15, above=0.20),
        "expandable": Spread(below=0.15, above=0.22),
        "classic": Spread(below=0.25, above=0.25),
        "host": Spread(below=0.18, above=0.30),
    },
    "stand-in": {
        "allocated": Spread(below=0.27, above=0.35),
        "expandable": Spread(below=0.27, above=0.40),
        "classic": Spread(below=0.27, above=0.50),
        "host": Spread(below=0.27, above=0.40),
    },
}

_SPREADS["unlike"] = dict.fromkeys(
    ("allocated", "expandable", "classic", "host"), Spread(below=0.7, above=0.8)
)
"""Llama's block says next to nothing of a state-space model: of six in Transformers that are told
by their config alone, a third to nine tenths of the parameters it stands for."""

_UNEQUAL = Spread(below=0.29, above=0.40)
"""Of what classic segments keep when lengths are unequal: replays of the same lengths in another
order differ as much, and so do runs from replays (5th to 95th percentile -19 to +39 %)."""

_UNDATED = Spread(below=0.10, above=0.25)
"""Of the same where another's run names no version, so that its loss is not known either."""


_CHECKED_ON_CARDS: dict[str, Basis] = {
    "transformers": Basis(tier="formula", runs=59, median_error_fraction=0.0001),
    "litgpt": Basis(tier="formula", runs=23, median_error_fraction=0.002),
    "torchtune": Basis(tier="formula", runs=8, median_error_fraction=0.012),
}
"""Allocated bytes of third-party runs that no constant was fitted to, by library."""

_CHECKED_ON_CPU = Basis(tier="formula", runs=9, median_error_fraction=0.011)
"""Resident memory of the runs in bench/results/host_memory_smollm2.json that nothing was fitted
to."""


class Bands(NamedTuple):
    """The interval of each counter."""

    allocated: Band
    reserved: Band
    needed: Band
    device: Band


def bands_of(footprint: Footprint, known: Checked, request: TrainingRequest) -> Bands:
    """Intervals of allocated, reserved, needed and device bytes."""
    spreads = _SPREADS[known]
    kept = kept_spread(request, spreads, alone=known == "close")
    on_card = request.device == "cuda"
    # Lasting gradients and moments fill classic segments less well than the summary says.
    full = request.method == "full" and request.allocator == "classic"
    needed = spreads["classic" if full else "expandable"] if on_card else kept
    # The measured runs are of cards: on a CPU other kernels run.
    tensors = spreads if on_card or known != "close" else _SPREADS["traced"]
    bands = in_order(
        allocated=band_around(footprint.allocated_bytes, tensors["allocated"]),
        reserved=band_around(footprint.reserved_bytes, kept),
        needed=beside_context(band_around(footprint.needed_bytes, needed), request),
        device=beside_context(band_around(footprint.device_bytes, kept), request),
    )
    if not (unread := footprint.unread_bytes):
        return bands
    return bands._replace(needed=_lower(bands.needed, unread), device=_lower(bands.device, unread))


def in_order(*, allocated: Band, reserved: Band, needed: Band, device: Band) -> Bands:
    """The intervals, none below that of a counter it holds.

    What is reserved holds what is allocated, a budget does too, and the device holds all of them.
    """
    reserved, needed = reserved.not_below(allocated), needed.not_below(allocated)
    device = device.not_below(reserved).not_below(needed)
    return Bands(allocated=allocated, reserved=reserved, needed=needed, device=device)


def _lower(band: Band, bytes_: int) -> Band:
    return band._replace(low_bytes=band.low_bytes - bytes_)


def beside_context(band: Band, request: TrainingRequest) -> Band:
    """Wider by what is not known of the driver's context: a number of bytes, not a share."""
    if request.device == "cpu" or context_bytes(request) == CUDA_CONTEXT_BYTES:
        return band
    return Band(
        expected_bytes=band.expected_bytes,
        low_bytes=band.low_bytes - CONTEXT_BELOW_BYTES,
        high_bytes=band.high_bytes + CONTEXT_ABOVE_BYTES,
    )


def kept_spread(request: TrainingRequest, spreads: Mapping[str, Spread], *, alone: bool) -> Spread:
    """The spread of what the process keeps, wider for what is not known of the rows or the run.

    `spreads` has one for "expandable" and "classic" segments and for a "host"; `alone` says that
    the run was one process of Transformers' own.
    """
    if request.device == "cpu":
        return spreads["host"]
    usual = spreads[request.allocator]
    if request.allocator == "expandable":
        return usual
    if request.lengths_vary or len(set(request.lengths or ())) > 1:
        return _wider(usual, _UNEQUAL)
    return _wider(usual, _UNDATED) if alone and request.transformers_version is None else usual


def _wider(one: Spread, other: Spread) -> Spread:
    return Spread(below=max(one.below, other.below), above=max(one.above, other.above))


def band_around(expected: int, spread: Spread) -> Band:
    """The interval around an expected value."""
    below, above = spread
    return Band(expected, int(expected * (1 - below)), int(expected * (1 + above)))


def basis_of(known: Checked, request: TrainingRequest) -> Basis:
    """What the estimate of this request rests on."""
    if request.device == "cpu":
        return _CHECKED_ON_CPU if known == "close" else _UNCHECKED
    return _CHECKED_ON_CARDS[request.stack] if known in ("close", "own stack") else _UNCHECKED


_UNCHECKED = Basis(tier="formula", runs=None, median_error_fraction=None)
