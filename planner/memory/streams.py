"""What FSDP's own streams keep: the caching allocator gives no stream the blocks of another.

Weights are gathered in one stream, and gradients reduced in a second, which holds a card's share of
them until the next forward; blocks are computed in a third (torch/distributed/fsdp,
_runtime_utils.py). So what each of them takes at most adds up, whenever that is.
"""

from __future__ import annotations

from typing import NamedTuple

from planner.memory.step import Step
from planner.request import TrainingRequest


class Streams(NamedTuple):
    """A step by streams."""

    computing: Step
    """What is left to the stream that computes."""
    beside_bytes: int
    """What the others keep."""


def streams_of(step: Step, request: TrainingRequest) -> Streams:
    """The step as it is, with nothing beside it, unless it is FSDP's on several cards."""
    if request.sharding != "fsdp" or request.gpus == 1:
        return Streams(step, 0)
    gathered = step.gathered_bytes
    # While micro-batches accumulate, gradients stay whole where they are computed.
    shares = step.states.gradients_bytes if request.accumulation == 1 else 0
    candidates = [
        candidate._replace(
            gradients_bytes=max(candidate.gradients_bytes - shares, 0),
            temporaries_bytes=max(candidate.temporaries_bytes - gathered, 0)
            if candidate.phase not in ("load", "optimizer")
            else candidate.temporaries_bytes,
        )
        for candidate in step.candidates
    ]
    totals = [candidate.total_bytes for candidate in candidates]
    beside = gathered + shares
    if request.autocast is not None and request.method == "full":
        # Shares in 16 bit, to be gathered and of what was reduced; the lasting ones have 32.
        beside += 2 * gathered // request.gpus
    return Streams(step._replace(candidates=candidates, totals=totals), beside)


def held_between_steps(step: Step, request: TrainingRequest) -> int:
    """The share of the gradients that flat parameters hold up to the next forward.

    Trainer forgets those of the parameters it sees, which look at a flat one's (use_orig_params,
    Accelerate's default).
    """
    if request.sharding != "fsdp" or request.gpus == 1 or request.stack != "transformers":
        return 0
    whole = request.gpus if request.accumulation > 1 else 1
    return step.states.gradients_bytes // whole
