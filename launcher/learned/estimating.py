"""Estimates corrected by the runs of this machine."""

from __future__ import annotations

from launcher.learned.stack import stack_text
from launcher.learned.store import Kind, runs_like, store_path
from planner.budget import Budget
from planner.memory.correction import corrected
from planner.memory.estimate import MemoryEstimate
from planner.plan import Estimate
from planner.request import TrainingRequest
from planner.shape import ModelShape


def learned(estimate: Estimate, budget: Budget | None) -> Estimate:
    """`estimate`, corrected where runs on this memory were kept; itself where none were."""
    path = store_path()
    if budget is None or budget.source == "simulated" or not path.is_file():
        return estimate
    stack = stack_text()

    def corrected_estimate(shape: ModelShape, request: TrainingRequest) -> MemoryEstimate:
        kind = Kind(device=budget.device, machine=budget.name, stack=stack, method=request.method)
        return corrected(estimate(shape, request), runs_like(kind, path))

    return corrected_estimate
