"""What happens outside the training step: the model is loaded, measured and saved.

Each is a moment like those of the step, beyond the states that are there then. While weights are
loaded there is neither adapter nor optimizer state yet, so their bytes are taken off.
"""

from __future__ import annotations

from planner.memory.batch_bytes import NO_BYTES, BatchBytes, PassBytes
from planner.memory.candidate import Growing, InPass
from planner.memory.numerics import Numerics
from planner.memory.states import States, largest_trained
from planner.request import QUANTIZED_WEIGHTS, TrainingRequest
from planner.shape import ModelShape

_FILE_BYTES = 2
"""Bytes of a weight as published models store it."""
_SCALE_GROUP = 64
"""Weights that share an fp32 scale until scales are quantized too (bitsandbytes)."""
_CHECK_BYTES = 2
"""Two masks a weight while it is looked through for NaN before it is saved."""


def load(shape: ModelShape, request: TrainingRequest, states: States) -> list[Growing]:
    """The last and largest tensor comes in: as the file has it, beside what becomes of it."""
    largest = shape.largest_linear_parameters
    in_flight = loading_bytes(request, largest_packed=largest, largest=max(largest, _table(shape)))
    beyond = in_flight - states.adapters_bytes - states.optimizer_bytes
    if beyond <= 0:
        return []
    return [Growing("load", "largest tensor", temporaries=NO_BYTES.plus(beyond))]


def loading_bytes(request: TrainingRequest, *, largest_packed: int, largest: int) -> int:
    """What is in flight when a weight comes in: of the largest one that is packed, or of any."""
    if request.device == "cpu":
        return 0  # weights are mapped from the file
    if request.weights in QUANTIZED_WEIGHTS:
        return largest_packed * _FILE_BYTES + 4 * largest_packed // _SCALE_GROUP
    return largest * _FILE_BYTES if request.weights == "fp32" else 0  # else copied to its place


def saving_bytes(elements: int, bytes_: int) -> int:
    """What is taken while a trained tensor is looked through."""
    return elements * (bytes_ + _CHECK_BYTES)


def evaluate(block: PassBytes, held: BatchBytes) -> InPass:
    """A held-out batch as large as one that is trained on; nothing is kept for backward.

    `held` is what the model holds while a block runs.
    """
    return InPass("evaluate", block.evaluated, 0, NO_BYTES, held, differentiated=False)


def save(shape: ModelShape, request: TrainingRequest, numerics: Numerics) -> Growing:
    """The largest trained tensor is looked through; files are written from host memory."""
    width = numerics.weights if request.adapter is None else numerics.adapters or 4
    taken = saving_bytes(largest_trained(shape, request), width)
    return Growing("save", "largest tensor", temporaries=NO_BYTES.plus(taken))


def _table(shape: ModelShape) -> int:
    return shape.vocabulary_size * shape.hidden_size
