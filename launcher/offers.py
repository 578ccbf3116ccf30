"""What each way of a plan takes: memory, time on the plan's card, and that card's rent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import hwdb
from launcher.prices import is_old, prices_from
from planner.advice.settings import Asked
from planner.advice.situation import Offer
from planner.expected import expectation_of
from planner.market.job import CardAnswer
from planner.market.rent import rented
from planner.plan import MethodAnswer, Plan, make_plan
from planner.request import Method
from planner.settle import pace_of

if TYPE_CHECKING:
    from planner.market.rent import Rented


def offers_of(plan: Plan, *, all_at_their_fastest: bool) -> dict[Method, Offer]:
    """Of every method that was planned; a plan makes only the step that it chose fast."""
    rents = _rents_of(plan)
    found = {}
    for answer in plan.answers:
        one = plan
        if all_at_their_fastest and plan.chosen is not answer and answer.verdict.fits != "no":
            one = _planned(plan, replace(plan.asked, method=answer.method))
        found[answer.method] = _offer(one, one.answer(answer.method), rents)
    return found


def head_only_offer(plan: Plan) -> Offer:
    """Of a classifier's new head alone, on frozen features; nothing known for other tasks."""
    if plan.asked.task == "causal-lm" or plan.data is None:
        return Offer()
    asked = replace(plan.asked, method="full", train_last=0, rank=None, targets=None, weights=None)
    head = _planned(plan, asked)
    return _offer(head, head.answer("full"), _rents_of(plan))


def _planned(plan: Plan, asked: Asked) -> Plan:
    return make_plan(plan.model, plan.budget, asked, plan.data)


def _offer(plan: Plan, answer: MethodAnswer, rents: Sequence[hwdb.Offer]) -> Offer:
    seconds, rent = None, None
    if answer.verdict.fits != "no" and plan.data is not None:
        expectation = expectation_of(plan, answer, pace_of(plan, answer))
        if expectation.time is not None and plan.budget is not None and plan.budget.card_id:
            seconds = expectation.time.on_card.expected
            card = hwdb.find_card(plan.budget.card_id)
            rent = _cheapest_rent(CardAnswer(card, plan, answer, None, expectation), rents)
    return Offer(
        fits=answer.verdict.fits,
        needed_bytes=answer.memory.needed.expected_bytes,
        seconds=seconds,
        usd=None if rent is None else rent.cost.expected,
        rent=rent,
    )


def _cheapest_rent(answer: CardAnswer, offers: Sequence[hwdb.Offer]) -> Rented | None:
    """The least that a run costs on one of these offers of its card; None where there is none."""
    ways = (one for offer in offers for one in rented(answer, offer, is_old(offer)))
    return min(ways, key=lambda one: one.cost.expected, default=None)


def _rents_of(plan: Plan) -> list[hwdb.Offer]:
    """Whoever rents out one such card."""
    card_id = None if plan.budget is None else plan.budget.card_id
    return [one for one in prices_from(None).offers if one.gpus == 1 and one.card_id == card_id]
