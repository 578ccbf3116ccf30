"""What each way of a plan takes: memory, time on the plan's card, and that card's rent."""

from __future__ import annotations

from dataclasses import replace

from launcher.prices import prices_from
from planner.advice.settings import Asked
from planner.advice.situation import Offer
from planner.expected import expectation_of
from planner.plan import MethodAnswer, Plan, make_plan
from planner.request import Method
from planner.settle import pace_of


def offers_of(plan: Plan, *, all_at_their_fastest: bool) -> dict[Method, Offer]:
    """Of every method that was planned; a plan makes only the step that it chose fast."""
    per_hour = _usd_per_hour(plan)
    found = {}
    for answer in plan.answers:
        one = plan
        if all_at_their_fastest and plan.chosen is not answer and answer.verdict.fits != "no":
            one = _planned(plan, replace(plan.asked, method=answer.method))
        found[answer.method] = _offer(one, one.answer(answer.method), per_hour)
    return found


def head_only_offer(plan: Plan) -> Offer:
    """Of a classifier's new head alone, on frozen features; nothing known for other tasks."""
    if plan.asked.task == "causal-lm" or plan.data is None:
        return Offer()
    asked = replace(plan.asked, method="full", train_last=0, rank=None, targets=None, weights=None)
    head = _planned(plan, asked)
    return _offer(head, head.answer("full"), _usd_per_hour(plan))


def _planned(plan: Plan, asked: Asked) -> Plan:
    return make_plan(plan.model, plan.budget, asked, plan.data)


def _offer(plan: Plan, answer: MethodAnswer, usd_per_hour: float | None) -> Offer:
    time = None
    if answer.verdict.fits != "no" and plan.data is not None:
        time = expectation_of(plan, answer, pace_of(plan, answer)).time
    seconds = None if time is None else time.on_card.expected
    known = seconds is not None and usd_per_hour is not None
    return Offer(
        fits=answer.verdict.fits,
        needed_bytes=answer.memory.needed.expected_bytes,
        seconds=seconds,
        usd=seconds / 3600 * usd_per_hour if known else None,  # type: ignore[operator]
    )


def _usd_per_hour(plan: Plan) -> float | None:
    """The lowest rent of the plan's card that is known."""
    if plan.budget is None or plan.budget.card_id is None:
        return None
    asked = [
        offer.on_demand_usd_per_gpu_hour
        for offer in prices_from(None).offers
        if offer.card_id == plan.budget.card_id and offer.on_demand_usd_per_gpu_hour is not None
    ]
    return min(asked, default=None)
