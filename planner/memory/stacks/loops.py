"""What a request tells of the loop that its library trains in."""

from __future__ import annotations

from planner.request import TrainingRequest

_INPUTS_KEPT_UNTIL = (0, 43)
"""First bitsandbytes whose MatMul4Bit lets go of its input."""

_LONGEST_FIRST_UNTIL = (0, 42)
"""The scripts that came with older bitsandbytes trained on the longest row before any other."""


def keeps_inputs(request: TrainingRequest) -> bool:
    """Whether 4-bit linears keep their input; of an unknown version, 0.42, litgpt's pin in 2024."""
    version = request.bitsandbytes_version
    old = version is None or version < _INPUTS_KEPT_UNTIL
    return request.weights.startswith("nf4") and old


def previous_batch_is_as_long(request: TrainingRequest) -> bool:
    """Whether a batch of full length may follow another one in litgpt's loop."""
    version = request.bitsandbytes_version
    return version is None or version >= _LONGEST_FIRST_UNTIL


def is_compiled(request: TrainingRequest) -> bool:
    """Whether torchtune's layers and loss are taken to be compiled."""
    return request.stack == "torchtune" and request.loss != "torch"
