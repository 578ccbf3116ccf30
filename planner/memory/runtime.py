"""What a process takes beyond the tensors: driver context, libraries, what the allocator keeps."""

from __future__ import annotations

from typing import NamedTuple

from planner.memory.slack import classic_needed, classic_reserved, expandable_reserved
from planner.memory.step import Step
from planner.request import TrainingRequest
from planner.units import GIB, MIB

CUDA_CONTEXT_BYTES = int(0.55 * GIB)
"""CUDA context, kernels and libraries of one process: 0.5 to 0.6 GiB on an A100 with torch 2.4,
from measured device memory less replayed reserved memory."""

SMALLEST_CUDA_CONTEXT_BYTES = int(0.38 * GIB)
"""The smallest such difference of those runs."""

CUBLAS_WORKSPACE_BYTES = 2 * int(8.125 * MIB)
"""Two workspaces, one a thread, counted as allocated (A100; Hopper takes 32 MiB each)."""

HOST_RUNTIME_BYTES = 541 * MIB
"""Resident memory of a worker before a model, without the weight file that is mapped while it is
read (the kernel drops those pages when memory is short): 481 MiB of imports, 60 of tokenizer and
rows (torch 2.13, transformers 5.23, trl 1.16; bench/results/host_memory_smollm2.json)."""

HOST_QUANTIZER_BYTES = 48 * MIB
"""What bitsandbytes adds to it."""


class Footprint(NamedTuple):
    """What the step's tensors become in the process."""

    allocated_bytes: int
    reserved_bytes: int
    needed_bytes: int
    device_bytes: int


def footprint_of(step: Step, request: TrainingRequest) -> Footprint:
    """Allocated, reserved, needed and device bytes of a step."""
    states, peak_bytes = step.states, max(step.totals)
    tensors = states.weights_bytes + states.adapters_bytes + states.optimizer_bytes + peak_bytes
    if request.device == "cpu":
        resident = tensors + HOST_RUNTIME_BYTES
        if request.method == "qlora":
            resident += HOST_QUANTIZER_BYTES
        return Footprint(
            allocated_bytes=tensors,
            reserved_bytes=tensors,
            needed_bytes=resident,
            device_bytes=resident,
        )
    standing = tensors - peak_bytes + CUBLAS_WORKSPACE_BYTES
    if request.allocator == "expandable":
        reserved = needed = expandable_reserved(standing, step, request)
    else:
        reserved = classic_reserved(standing, step, request)
        needed = classic_needed(standing, step, request)
    return Footprint(
        allocated_bytes=tensors + CUBLAS_WORKSPACE_BYTES,
        reserved_bytes=reserved,
        needed_bytes=needed + CUDA_CONTEXT_BYTES,
        device_bytes=reserved + CUDA_CONTEXT_BYTES,
    )
