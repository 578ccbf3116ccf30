"""The formula's estimates, each made once: many cards are asked about the same step."""

from __future__ import annotations

from planner.memory.estimate import MemoryEstimate, estimate_memory
from planner.request import TrainingRequest
from planner.shape import ModelShape

_MOST = 4096
_known: dict[tuple[int, TrainingRequest], tuple[ModelShape, MemoryEstimate]] = {}
"""By identity of the shape, which is kept so that no other can take its place."""


def estimate_once(shape: ModelShape, request: TrainingRequest) -> MemoryEstimate:
    """What `estimate_memory` says, remembered."""
    key = (id(shape), request)
    found = _known.get(key)
    if found is None:
        if len(_known) >= _MOST:
            _known.clear()
        found = _known[key] = (shape, estimate_memory(shape, request))
    return found[1]
