"""How many of the last layers to train, where the plan is to choose: by rows, then by memory."""

from __future__ import annotations

from dataclasses import replace

from planner.advice.growth import largest_trained_layers
from planner.advice.learning import AUTO, Learned, trained_last
from planner.advice.settings import Asked, DataFacts, request_for, task_of
from planner.budget import Budget
from planner.shape import ModelShape


def with_layers_chosen(
    asked: Asked, shape: ModelShape, budget: Budget | None, data: DataFacts | None
) -> tuple[Asked, str | None]:
    """What was asked with a number in place of `--train-last auto`, and the reason for it.

    Nothing changes, and there is no reason, where a number or nothing was asked for.
    """
    if asked.train_last != AUTO:
        return asked, None
    chosen = _chosen(asked, shape, budget, data)
    return replace(asked, train_last=chosen.value), f"{chosen.value}: {chosen.reason}"


def _chosen(
    asked: Asked, shape: ModelShape, budget: Budget | None, data: DataFacts | None
) -> Learned:
    rows, task = None if data is None else data.rows, task_of(asked)
    wanted = trained_last(shape.layers, rows=rows, task=task)
    request = request_for(
        "full", asked=replace(asked, train_last=wanted.value), shape=shape, budget=budget, data=data
    )
    most = largest_trained_layers(
        shape, request, None if budget is None else budget.free_bytes, most=wanted.value
    )
    return trained_last(shape.layers, rows=rows, task=task, largest_that_fits=most)
