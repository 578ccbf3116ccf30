"""The method to run at its fastest step, with the kernels that are fastest for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hwdb.find import find_card
from planner.advice.asked import Asked, DataFacts
from planner.advice.fastest import fastest
from planner.advice.kernels import weighed
from planner.advice.method import recommend
from planner.budget import Budget
from planner.method_answer import Estimate, MethodAnswer, answer_of

if TYPE_CHECKING:
    from hwdb.card import Card


def with_chosen_sped_up(
    answers: tuple[MethodAnswer, ...],
    budget: Budget | None,
    asked: Asked,
    data: DataFacts,
    estimate: Estimate,
    *,
    weigh: bool,
) -> tuple[MethodAnswer, ...]:
    """The method to run with its fastest step; the others stay at what they need at least.

    A step that the user cut up stays as it is, its kernels are chosen all the same; `weigh` says
    what the others would cost.
    """
    recommended = recommend(answers)
    method = asked.method or (None if recommended is None else recommended.method)
    if method is None or budget is None:
        return answers
    card = None if budget.card_id is None else find_card(budget.card_id)

    def sped_up(answer: MethodAnswer) -> MethodAnswer:
        if not asked.pins_the_step:
            answer = _sped_up(answer, card, budget, asked, data, estimate)
        if card is None:
            return answer
        return _weighed(answer, card, budget, asked, data, estimate, priced=weigh)

    return tuple(sped_up(each) if each.method == method else each for each in answers)


def _sped_up(
    answer: MethodAnswer,
    card: Card | None,
    budget: Budget,
    asked: Asked,
    data: DataFacts,
    estimate: Estimate,
) -> MethodAnswer:
    """The answer at its fastest step, unless a better estimate than the formula's denies it."""
    faster = fastest(
        answer.shape,
        answer.request,
        card=card,
        free_bytes=budget.free_bytes,
        lengths=data.lengths or None,
        packing=asked.packing,
    )
    if faster is None:
        return answer
    sped_up = answer_of(answer.shape, faster.request, budget, estimate, data.lengths)
    if sped_up.verdict.fits != "yes":
        return answer
    return replace(sped_up, reasons=faster.reasons)


def _weighed(
    answer: MethodAnswer,
    card: Card,
    budget: Budget,
    asked: Asked,
    data: DataFacts,
    estimate: Estimate,
    *,
    priced: bool,
) -> MethodAnswer:
    """The answer with its fastest kernels, and what the others would cost."""
    if budget.free_bytes is None:
        return answer
    found = weighed(
        answer.shape,
        answer.request,
        card=card,
        free_bytes=budget.free_bytes,
        lengths=data.lengths,
        asked=asked,
        priced=priced,
    )
    if found.request != answer.request:
        other = answer_of(answer.shape, found.request, budget, estimate, data.lengths)
        if other.verdict.fits != "yes":
            return answer
        answer = replace(other, reasons=answer.reasons)
    return replace(answer, prices=found.prices)
