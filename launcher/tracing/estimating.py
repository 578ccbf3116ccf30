"""Estimates by trace, and by formula where no trace can be made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from launcher.errors import TlplanError
from launcher.tracing.client import Tracer
from planner.advice.rows import are_unequal
from planner.case import case_of_request
from planner.memory.estimate import MemoryEstimate, estimate_memory
from planner.memory.traced import estimate_from_trace
from planner.request import TrainingRequest
from planner.shape import ModelShape
from planner.speed.lengths import thinned


def traced_estimate(
    tracer: Tracer,
    config: Mapping[str, Any] | None,
    request: TrainingRequest,
    *,
    gpu: str | None,
) -> MemoryEstimate:
    """The estimate of a traced step. Raises what `Tracer.trace` raises."""
    request = request.as_computed
    case = {**case_of_request(request), "config": config, "gpu": gpu}
    if request.lengths is not None and are_unequal(request.lengths, request.sequence_tokens):
        case["lengths"] = list(thinned(request.lengths))
    traced = tracer.trace(case, batching=request.batching).traced
    return estimate_from_trace(traced, request, model_type=(config or {}).get("model_type"))


class TracedEstimates:
    """An estimator that traces, for one model on one card."""

    def __init__(
        self,
        tracer: Tracer,
        *,
        config: Mapping[str, Any] | None,
        gpu: str | None,
        warn: Callable[[str], None],
    ) -> None:
        """`warn` is told why the formula answers in place of a trace."""
        self._tracer = tracer
        self._config = config
        self._gpu = gpu
        self._warn = warn

    def __call__(self, shape: ModelShape, request: TrainingRequest) -> MemoryEstimate:
        """The traced estimate, the formula's where the trace fails."""
        try:
            return traced_estimate(self._tracer, self._config, request, gpu=self._gpu)
        except TlplanError as problem:
            self._warn(f"{request.method} is estimated by formula: {problem.message}")
            return estimate_memory(shape, request)
