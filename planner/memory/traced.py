"""An estimate whose bytes come from a traced step instead of the formula."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, get_args

from planner.memory.candidate import Phase
from planner.memory.checked import is_measured
from planner.memory.estimate import KeptBytes as KeptBytes  # noqa: PLC0414
from planner.memory.estimate import MemoryEstimate, Parts
from planner.memory.interval import (
    Basis,
    Spread,
    band_around,
    beside_context,
    in_order,
    kept_spread,
)
from planner.memory.runtime import context_bytes, host_bytes_beyond_tensors
from planner.request import TrainingRequest


class Traced(NamedTuple):
    """Bytes of the tensors of one traced step; CUDA's context is in none of them."""

    peak_bytes: int
    rest_bytes: int
    needed_bytes: int
    """Smallest budget of the caching allocator in which the step does not run out."""
    reserved_bytes: int
    """Peak of what the caching allocator takes where nothing limits it."""
    phases: Mapping[str, int]
    """Peak of each phase."""
    parts: Mapping[str, int]
    """What the bytes of the peak are for, by the names of Parts without "_bytes"."""
    trained_parameters: int
    paged_bytes: int
    """Optimizer state that the driver moves between card and host, in none of the others."""
    ways: Mapping[str, KeptBytes] = {}
    """What the data's own rows make the allocator take, by how they are put together."""


# Traced steps lie up to 0.04 % below what third-party A100 runs allocated (batch tensors and
# small buffers are not traced); what the allocator keeps is replayed within about 1 GiB.
_SPREADS = {
    "allocated": Spread(below=0.003, above=0.006),
    "expandable": Spread(below=0.02, above=0.04),
    "classic": Spread(below=0.04, above=0.16),
    "needed": Spread(below=0.02, above=0.04),
    "host": Spread(below=0.08, above=0.08),
}

_BASIS = Basis(tier="trace", runs=59, median_error_fraction=0.0001)
"""Allocated bytes of third-party A100 runs, none of which anything was fitted to."""

_UNCHECKED = Basis(tier="trace", runs=None, median_error_fraction=None)


def estimate_from_trace(
    traced: Traced, request: TrainingRequest, *, model_type: object = None
) -> MemoryEstimate:
    """The estimate of a request that was traced; the kind of model tells what it was checked on."""
    on_cpu = request.device == "cpu"
    paged = traced.paged_bytes
    if on_cpu:
        reserved = traced.peak_bytes
        needed = device = traced.peak_bytes + host_bytes_beyond_tensors(request)
    else:
        reserved = traced.reserved_bytes
        needed = traced.needed_bytes + context_bytes(request)
        device = reserved + context_bytes(request) + paged
    kept = kept_spread(request, _SPREADS, alone=request.gpus == 1)
    least = _SPREADS["host" if on_cpu else "needed"]
    phase = max(traced.phases, key=lambda name: traced.phases[name])
    bands = in_order(
        allocated=band_around(traced.peak_bytes, _SPREADS["allocated"]),
        reserved=band_around(reserved, kept),
        needed=beside_context(band_around(needed, least), request),
        device=beside_context(band_around(device, kept), request),
    )
    return MemoryEstimate(
        allocated=bands.allocated,
        reserved=bands.reserved,
        needed=bands.needed,
        device=bands.device,
        rest_allocated_bytes=traced.rest_bytes,
        peak_phase=_phase(phase),
        peak_where=phase,
        trained_parameters=traced.trained_parameters,
        parts=_parts(_with_paged(traced.parts, paged), bands.device.expected_bytes),
        basis=_BASIS if is_measured(model_type) and not on_cpu else _UNCHECKED,
        paged_bytes=paged,
        ways=traced.ways,
    )


def _with_paged(parts: Mapping[str, int], paged_bytes: int) -> Mapping[str, int]:
    return {**parts, "optimizer": parts.get("optimizer", 0) + paged_bytes}


def _phase(name: str) -> Phase:
    for phase in get_args(Phase):
        if phase == name:
            return phase  # type: ignore[no-any-return]
    raise ValueError(f"a step has no phase {name}")


def _parts(parts: Mapping[str, int], device_bytes: int) -> Parts:
    """The parts of the tensors; what the process takes beyond them is runtime."""
    tensors = {f"{name}_bytes": size for name, size in parts.items() if name != "runtime"}
    return Parts(**tensors, runtime_bytes=device_bytes - sum(tensors.values()))
