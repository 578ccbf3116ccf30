"""A full fine-tune's plan with adapters in its place: what of it changes besides the method."""

from __future__ import annotations

from dataclasses import replace

from planner.advice.learning import head_learning_rate, learning_rate
from planner.memory.adapted import usual_targets
from planner.request import Method, Weights
from planner.run_plan import RunPlan
from planner.shape import ModelShape

_RANK = 16


def with_adapters(
    run_plan: RunPlan, shape: ModelShape, *, method: Method = "lora", weights: Weights | None = None
) -> RunPlan:
    """The plan with adapters of its own, or the usual ones and their rate where it has none.

    `weights` replaces those below the adapters. Memory and time are still those of `run_plan`.
    """
    before = run_plan.method
    weights = weights or before.weights
    if before.name != "full":
        return replace(run_plan, method=replace(before, name=method, weights=weights))
    task = run_plan.training.task
    # Adapters learn next to nothing at the rate of a full fine-tune.
    rate = learning_rate(method, task=task, parameters=shape.parameters).value
    return replace(
        run_plan,
        method=replace(
            before,
            name=method,
            weights=weights,
            adapter="lora",
            rank=_RANK,
            alpha=2 * _RANK,
            dropout=0.0,
            targets=usual_targets(shape),
            adapter_dtype="fp32",
        ),
        training=replace(
            run_plan.training,
            trainable_layers=None,
            learning_rate=rate,
            head_learning_rate=head_learning_rate(rate, task=task).value,
        ),
    )
