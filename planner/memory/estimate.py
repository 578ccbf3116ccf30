"""The estimate of a training step's memory: every counter with its interval, and where it goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from planner.memory.candidate import Phase
from planner.memory.interval import Band, Basis, bands_of, in_order
from planner.memory.job import job_of
from planner.memory.runtime import CUDA_CONTEXT_BYTES, SMALLEST_CUDA_CONTEXT_BYTES, footprint_of
from planner.memory.streams import held_between_steps
from planner.request import TrainingRequest
from planner.shape import ModelShape


class Parts(NamedTuple):
    """Where the device bytes go at the peak. They add up to `device.expected_bytes`."""

    weights_bytes: int
    adapters_bytes: int
    gradients_bytes: int
    optimizer_bytes: int
    activations_bytes: int
    """Kept for backward, checkpoints included."""
    logits_bytes: int
    temporaries_bytes: int
    runtime_bytes: int
    """Context, libraries, workspaces and what the allocator keeps."""

    @property
    def total_bytes(self) -> int:
        """All parts together."""
        return sum(self)


class KeptBytes(NamedTuple):
    """What the caching allocator takes after many steps of rows of unequal lengths."""

    expandable: int
    classic: int


class MemoryEstimate(NamedTuple):
    """Peak memory of a step. On the CPU `device` is the resident memory of the process."""

    allocated: Band
    """Peak of torch.cuda.max_memory_allocated."""
    reserved: Band
    """Peak of torch.cuda.max_memory_reserved."""
    needed: Band
    """Smallest budget in which the step does not run out, context included."""
    device: Band
    """Peak of what NVML shows for the process."""
    rest_allocated_bytes: int
    """Allocated between steps."""
    peak_phase: Phase
    peak_where: str
    trained_parameters: int
    parts: Parts
    basis: Basis
    paged_bytes: int = 0
    """Optimizer state in pages, counted in `device`: the driver keeps what has room on the card."""
    uncorrected_bytes: int | None = None
    """What `device` was expected to be before runs here corrected it; None: none did."""
    uncorrected_allocated_bytes: int | None = None
    ways: Mapping[str, KeptBytes] = {}
    """Replayed: what the data's rows make the allocator take, by how they are put together."""


def estimate_memory(shape: ModelShape, request: TrainingRequest) -> MemoryEstimate:
    """Peak memory of one step of `request` on a model of this shape.

    Raises RequestError for a request that this model cannot have.
    """
    request = request.as_computed
    job = job_of(shape, request)
    request = job.request_for(request)
    step = job.step.at(request)
    footprint = footprint_of(step, request)
    bands = bands_of(footprint, job.checked, request)
    states, peak = step.states, step.peak
    tensors = (
        states.weights_bytes + states.adapters_bytes + states.optimizer_bytes + peak.total_bytes
    )
    return MemoryEstimate(
        allocated=bands.allocated,
        reserved=bands.reserved,
        needed=bands.needed,
        device=bands.device,
        rest_allocated_bytes=footprint.allocated_bytes
        - peak.total_bytes
        + held_between_steps(step, request),
        peak_phase=peak.phase,
        peak_where=peak.where,
        trained_parameters=states.trained_parameters,
        parts=Parts(
            weights_bytes=states.weights_bytes,
            adapters_bytes=states.adapters_bytes,
            gradients_bytes=peak.gradients_bytes,
            optimizer_bytes=states.optimizer_bytes + states.paged_bytes,
            activations_bytes=peak.activations_bytes,
            logits_bytes=peak.logits_bytes,
            temporaries_bytes=peak.temporaries_bytes,
            runtime_bytes=footprint.device_bytes - tensors - states.paged_bytes,
        ),
        basis=job.basis,
        paged_bytes=states.paged_bytes,
    )


def without_pages_beyond(memory: MemoryEstimate, capacity_bytes: int) -> MemoryEstimate:
    """The estimate on a card of that size: pages that find no room there lie in host memory."""
    beyond = min(memory.paged_bytes, memory.device.expected_bytes - capacity_bytes)
    if beyond <= 0:
        return memory
    room = memory.device.expected_bytes - beyond
    device = memory.device.at_most(room, high_bytes=max(room, capacity_bytes))
    return memory._replace(
        device=device.not_below(memory.reserved).not_below(memory.needed),
        parts=memory.parts._replace(optimizer_bytes=memory.parts.optimizer_bytes - beyond),
        paged_bytes=memory.paged_bytes - beyond,
    )


def capped(memory: MemoryEstimate, capacity_bytes: int) -> MemoryEstimate:
    """The estimate on a card of that size, if the step runs there at all.

    Classic segments that are free go back to the driver when it refuses, so what is kept never
    exceeds the card.
    """
    if memory.needed.expected_bytes > capacity_bytes:
        return memory
    most = capacity_bytes - SMALLEST_CUDA_CONTEXT_BYTES
    bands = in_order(
        allocated=memory.allocated.ending_at(most),
        reserved=memory.reserved.at_most(capacity_bytes - CUDA_CONTEXT_BYTES, high_bytes=most),
        needed=memory.needed.ending_at(capacity_bytes),
        device=memory.device.at_most(capacity_bytes),
    )
    kept = bands.device.expected_bytes - memory.device.expected_bytes
    parts = memory.parts._replace(runtime_bytes=memory.parts.runtime_bytes + kept)
    # Whether it runs there is asked of the whole interval.
    return memory._replace(
        allocated=bands.allocated, reserved=bands.reserved, device=bands.device, parts=parts
    )


Fits = Literal["yes", "tight", "no"]


class Verdict(NamedTuple):
    """Whether a step fits into a memory, and why that is said."""

    fits: Fits | None
    """yes: the upper end of the interval fits; tight: the expected value does."""
    capacity_bytes: int | None
    spare_bytes: int | None
    """Capacity less what is expected to be needed; negative when short."""
    reason: str


def verdict_of(needed: Band, capacity_bytes: int | None) -> Verdict:
    """Judge a need against a capacity."""
    if capacity_bytes is None:
        return Verdict(fits=None, capacity_bytes=None, spare_bytes=None, reason="no card to judge")
    spare = capacity_bytes - needed.expected_bytes
    if needed.high_bytes <= capacity_bytes:
        fits, reason = "yes", "the upper end of the interval fits"
    elif spare >= 0:
        fits, reason = "tight", "the expected value fits, the upper end does not"
    else:
        fits, reason = "no", "the expected value does not fit"
    return Verdict(fits=fits, capacity_bytes=capacity_bytes, spare_bytes=spare, reason=reason)  # type: ignore[arg-type]
