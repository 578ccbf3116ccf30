"""The search over every configuration of a plan's job on the plan's card."""

from __future__ import annotations

import hwdb
from launcher.errors import UsageError
from planner.advice.settings import EFFECTIVE_ROWS
from planner.plan import Plan
from planner.search.answers import best
from planner.search.explore import Configuration, Explored, explore
from planner.search.space import structures


def explored_plan(plan: Plan) -> tuple[Explored, Configuration]:
    """Everything that could be run instead, and the best of what a launch runs.

    Raises UsageError where the card's speed or memory is unknown, or nothing fits.
    """
    budget = plan.budget
    if budget is None or budget.card_id is None or budget.free_bytes is None:
        raise UsageError(
            "--explain needs a card whose speed is known",
            "--gpu NAME names one; tlplan gpus lists them",
        )
    shape, data = plan.model.shape, plan.data
    rows = (plan.asked.micro_batch or 1) * (plan.asked.accumulation or EFFECTIVE_ROWS)
    found = explore(
        shape,
        list(structures(shape, plan.asked, budget, data)),
        hwdb.find_card(budget.card_id),
        budget.free_bytes,
        (data.lengths or None) if data is not None else None,
        rows,
    )
    if not found.configurations:
        raise UsageError(f"the speed of {budget.name} is unknown, so nothing can be compared")
    method = plan.chosen.method if plan.chosen is not None else None
    chosen = best(found, runnable=True, method=method)
    if chosen is None:
        raise UsageError(f"nothing that a launch runs fits into {budget.name}")
    return found, chosen
