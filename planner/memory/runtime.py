"""What a process takes beyond the tensors: driver context, libraries, what the allocator keeps."""

from __future__ import annotations

from typing import NamedTuple

from planner.memory.slack import classic_needed, classic_reserved, expandable_reserved
from planner.memory.step import Step
from planner.memory.streams import streams_of
from planner.request import TrainingRequest
from planner.units import GIB, KIB, MIB

CUDA_CONTEXT_BYTES = int(0.55 * GIB)
"""CUDA context, kernels and libraries of one process: 0.5 to 0.6 GiB on an A100 with torch 2.4,
from measured device memory less replayed reserved memory."""

SMALLEST_CUDA_CONTEXT_BYTES = int(0.38 * GIB)
"""The smallest such difference of those runs."""

_CONTEXT_BYTES_NOW = int(0.30 * GIB)
CONTEXT_BELOW_BYTES = int(0.05 * GIB)
CONTEXT_ABOVE_BYTES = int(0.27 * GIB)
"""The same with libraries of today: 0.28 GiB on an H100 with torch 2.11 for CUDA 13
(bench/results/h100.jsonl); as much as ever where a build for CUDA 12 is installed."""


def context_bytes(request: TrainingRequest) -> int:
    """What the driver and the libraries take of the card, of which no tensor is made."""
    return _CONTEXT_BYTES_NOW if request.runs_today else CUDA_CONTEXT_BYTES


def cublas_workspace_bytes(capability: tuple[int, int] | None) -> int:
    """What cuBLAS keeps for ever in each thread that calls it, counted as allocated.

    ATen's CUDABlas.cpp; both values were measured, on an A100 and an H100. An unknown card is taken
    for one before Hopper.
    """
    return 32 * MIB if capability in _LARGE_WORKSPACE else 8 * MIB + 128 * KIB


_LARGE_WORKSPACE = ((9, 0), (10, 0))
_THREADS = 2
"""Forward and backward run in one each."""

HOST_RUNTIME_BYTES = 616 * MIB
"""Resident memory of a worker beyond its tensors, without the weight file that is mapped while it
is read (the kernel drops those pages when memory is short): 520 MiB of imports, 60 of tokenizer and
rows, 36 of libraries' pages that measuring, answering and training touch (torch 2.13, transformers
5.23, trl 1.16; bench/results/host_memory_smollm2.json)."""

HOST_CLASSIFIER_RUNTIME_BYTES = 580 * MIB
"""The same where classes are told apart: nothing is generated, and TRL prepares no rows. Nine
launches of texts, pictures and a decoder took 576 to 590 beyond the tensors
(bench/results/host_memory_classifiers.json)."""

HOST_QUANTIZER_BYTES = 88 * MIB
"""What bitsandbytes and the kernels of 16-bit products add to it."""


class Footprint(NamedTuple):
    """What the step's tensors become in the process."""

    allocated_bytes: int
    reserved_bytes: int
    needed_bytes: int
    device_bytes: int
    unread_bytes: int = 0
    """What resident memory may be less: of a file that is mapped only what was read."""


def host_bytes_beyond_tensors(request: TrainingRequest) -> int:
    """What a worker on a CPU takes beyond its tensors."""
    speaks = request.task == "causal-lm"
    runtime = HOST_RUNTIME_BYTES if speaks else HOST_CLASSIFIER_RUNTIME_BYTES
    return runtime + (HOST_QUANTIZER_BYTES if request.method == "qlora" else 0)


def footprint_of(step: Step, request: TrainingRequest) -> Footprint:
    """Allocated, reserved, needed and device bytes of a step."""
    states, peak_bytes = step.states, max(step.totals)
    tensors = states.weights_bytes + states.adapters_bytes + states.optimizer_bytes + peak_bytes
    if request.device == "cpu":
        resident = tensors + host_bytes_beyond_tensors(request)
        return Footprint(
            allocated_bytes=tensors,
            reserved_bytes=tensors,
            needed_bytes=resident,
            device_bytes=resident,
            unread_bytes=states.seldom_read_bytes,
        )
    workspaces = _THREADS * cublas_workspace_bytes(request.compute_capability)
    standing = tensors - peak_bytes + workspaces
    computing, beside = streams_of(step, request)
    if request.allocator == "expandable":
        needed = expandable_reserved(standing, step, request)
        reserved = max(needed, expandable_reserved(standing, computing, request) + beside)
    else:
        reserved = classic_reserved(standing, computing, request) + beside
        # What it takes where nothing limits it is enough in any case.
        needed = min(classic_needed(standing, step, request), reserved)
    return Footprint(
        allocated_bytes=tensors + workspaces,
        reserved_bytes=reserved,
        needed_bytes=needed + context_bytes(request),
        # Paged state is on the card as long as there is room, and makes room when there is none.
        device_bytes=reserved + context_bytes(request) + states.paged_bytes,
    )
