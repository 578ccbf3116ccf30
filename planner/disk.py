"""Bytes on disk: the result of a run, a checkpoint, the weights it starts from."""

from __future__ import annotations

from planner.memory.adapted import adapter_parameters
from planner.memory.numerics import numerics_of
from planner.memory.states import states_of
from planner.request import TrainingRequest
from planner.shape import ModelShape

_DTYPE_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
_TENSOR_TABLE_BYTES = 120
"""Header of a safetensors file for each tensor: name, dtype, shape, offsets."""


def result_bytes(shape: ModelShape, request: TrainingRequest) -> int:
    """The adapter, or with method full the whole model, as safetensors.

    PEFT saves adapters in the dtype they were trained in.
    """
    if request.adapter is not None:
        tensors = 2 * shape.layers * len(shape.linears)
        width = numerics_of(request, shape.family).adapters or 4
        return adapter_parameters(shape, request) * width + tensors * _TENSOR_TABLE_BYTES
    width = _DTYPE_BYTES.get(request.weights, 2)
    return shape.parameters * width + shape.tensors * _TENSOR_TABLE_BYTES


def checkpoint_bytes(shape: ModelShape, request: TrainingRequest) -> int:
    """What a run can go on from: the result and the optimizer's state.

    Paged state is written like any other.
    """
    states = states_of(shape, request, numerics_of(request, shape.family))
    return result_bytes(shape, request) + states.optimizer_bytes + states.paged_bytes


def run_bytes(
    shape: ModelShape,
    request: TrainingRequest,
    *,
    keep_checkpoints: int,
    keep_best: bool,
) -> int:
    """The most a run holds at once: checkpoints kept, the best one, one being written, the result.

    The best one on held-out rows stays besides the newest ones, for the result is made of it.
    """
    checkpoints = keep_checkpoints + 1 + (1 if keep_best else 0)
    saved = checkpoint_bytes(shape, request)
    return checkpoints * saved + result_bytes(shape, request)


def download_bytes(shape: ModelShape) -> int:
    """The base model's files; nearly all are published in 16 bit."""
    return 2 * shape.parameters
