"""What fits into a memory, model by model, worked out little by little so that no key waits."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple

import hwdb
from launcher.errors import UsageError
from launcher.models import shape_of_row
from launcher.wizard.draft import Draft, plan_of
from planner.advice.settings import Asked
from planner.budget import Budget
from planner.memory.estimate import Fits
from planner.plan import Plan, PlannedModel
from planner.request import Method, RequestError, Task


class Verdict(NamedTuple):
    """Each method's fit and need for one model with the usual settings."""

    fits: dict[Method, Fits | None]
    needs_bytes: dict[Method, int]


NOT_PLANNED = Verdict({}, {})
"""For a model that cannot be planned."""


class Verdicts:
    """Verdicts of hwdb's models in one memory, for one task where rows say which."""

    def __init__(self, budget: Budget | None, learns: Task | None = None) -> None:
        self.budget, self.learns = budget, learns
        self._found: dict[str, Verdict] = {}

    def of(self, model_id: str) -> Verdict | None:
        """The verdict of a model, None while it is not worked out."""
        return self._found.get(model_id)

    def work(self, models: Iterable[hwdb.Model], *, seconds: float) -> bool:
        """Work out what is missing, for about that long; whether nothing is missing any more."""
        deadline = time.monotonic() + seconds
        for model in models:
            if model.id in self._found:
                continue
            if time.monotonic() > deadline:
                return False
            self._found[model.id] = self._verdict(model)
        return True

    def _verdict(self, model: hwdb.Model) -> Verdict:
        try:
            return verdict_of(planned_row(model, instruct=False), self.budget, self.learns)
        except (UsageError, RequestError):
            return NOT_PLANNED


def verdict_of(planned: PlannedModel, budget: Budget | None, learns: Task | None) -> Verdict:
    """The verdict of a model, with the head of the task where it can have one."""
    asked = Asked(task=learns) if learns in planned.shape.task_heads else Asked()
    return verdict_in(plan_of(Draft(budget=budget, asked=asked), model=planned))


def verdict_in(plan: Plan) -> Verdict:
    """The verdict that a plan of all three methods holds."""
    return Verdict(
        fits={answer.method: answer.verdict.fits for answer in plan.answers},
        needs_bytes={answer.method: answer.memory.needed.expected_bytes for answer in plan.answers},
    )


def planned_row(model: hwdb.Model, *, instruct: bool) -> PlannedModel:
    """A model of hwdb as `launcher.models.resolve_model` gives it for the variant's Hub name.

    Raises UsageError for one whose layers hwdb does not describe.
    """
    wanted = model.instruct_hub_id if instruct else model.hub_id
    return PlannedModel(
        id=model.id,
        hub_id=wanted or model.hub_id or model.instruct_hub_id,
        revision=None,
        folder=None,
        source="hwdb",
        shape=shape_of_row(model),
        gated=model.gated,
    )
