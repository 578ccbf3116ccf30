"""The search over every configuration of a plan's job on the plan's card."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import hwdb
from launcher.errors import UsageError
from launcher.prices import prices_from
from planner.advice.rows import rows_held
from planner.advice.settings import batch_choices
from planner.plan import MethodAnswer, Plan
from planner.request import Method, TrainingRequest
from planner.search.answers import best, smallest_change
from planner.search.explore import BATCHING_WORDS, SETTINGS, Configuration, Explored, explore
from planner.search.space import structures
from planner.settle import settle
from planner.speed.rates import rates_of

if TYPE_CHECKING:
    from hwdb.offer import Offer


class Rent(NamedTuple):
    """What the steps of a run cost where its card is rented at the lowest known price."""

    rows: int
    """Rows of the data that all steps together take."""
    offer: Offer
    usd_per_hour: float
    """Of one card."""

    def usd(self, one: Configuration) -> float:
        """Dollars of the steps; loading and evaluating come on top."""
        return self.rows * one.seconds_per_row / 3600 * self.usd_per_hour


def rent_of(plan: Plan) -> Rent | None:
    """None without data, or where nobody's price for the plan's card is known."""
    answer, budget = plan.chosen, plan.budget
    if answer is None or budget is None or plan.data is None:
        return None
    offered = [
        (offer.on_demand_usd_per_gpu_hour, offer)
        for offer in prices_from(None).offers
        if offer.card_id == budget.card_id
        and offer.gpus == 1
        and offer.on_demand_usd_per_gpu_hour is not None
    ]
    if not offered:
        return None
    price, offer = min(offered, key=lambda one: one[0])
    request = answer.request
    rows = request.micro_batch * request.accumulation * rows_held(request, answer.lengths)
    return Rent(round(settle(plan, folder="-").steps * rows), offer, price)


def explored_plan(plan: Plan) -> tuple[Explored, Configuration | None]:
    """Everything that could be run instead, and the plan's own step among it.

    The best of what a launch runs where the plan has none, None where nothing fits.

    Raises UsageError where the card's speed or memory is unknown.
    """
    budget = plan.budget
    if budget is None or budget.card_id is None or budget.free_bytes is None:
        raise UsageError(
            "--explain needs a card whose speed is known",
            "--gpu NAME names one; tlplan gpus lists them",
        )
    shape, data = plan.model.shape, plan.data
    micro, accumulation = batch_choices(plan.asked, shape)
    rows = micro.value * accumulation.value
    chosen = plan.chosen
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
    if chosen is None:
        return found, best(found, runnable=True)
    planned = next((one for one in found.configurations if _is(one, chosen.request)), None)
    if planned is not None and not found.fits(planned):
        planned = None
    return found, planned or best(found, runnable=True, method=chosen.method)


def _is(one: Configuration, request: TrainingRequest) -> bool:
    """Whether a configuration is this very step."""
    return one.runnable and one.request == request.with_batch(padded=one.request.padded)


def change_that_fits(plan: Plan, answer: MethodAnswer) -> dict[str, str] | None:
    """The fewest settings that have to change for a step to fit, by name; the method if it must.

    Rows, their length and the rows a step stay. Among equally small changes the fastest is taken.
    None where no change of settings is enough.
    """
    found = _change(plan, answer, answer.method)
    asked = plan.asked
    only = asked.method is not None and (asked.train_last, asked.rank, asked.targets) == (None,) * 3
    if found is None and only:
        found = _change(plan, answer, None)
        if found is not None and asked.weights is None:
            found.pop("weights", None)  # the method brings its own
    return found


def _change(plan: Plan, answer: MethodAnswer, method: Method | None) -> dict[str, str] | None:
    budget, request = plan.budget, answer.request
    if budget is None or budget.free_bytes is None:
        return None
    free = dict.fromkeys(("weights", "checkpointing", "loss", "attention", "optimizer"))
    asked = replace(plan.asked, method=method, **free)
    found = explore(
        answer.shape,
        [one for one in structures(answer.shape, asked, budget, plan.data) if one.runnable],
        _timed_card(budget.card_id),
        budget.free_bytes,
        answer.lengths or None,
        request.micro_batch * request.accumulation,
    )
    wanted = (
        *(request.method, request.weights, request.checkpointing, request.loss),
        *(request.attention, request.optimizer, str(request.micro_batch)),
        *(BATCHING_WORDS[request.batching], "no", str(request.sequence_tokens), "none"),
    )
    change = smallest_change(found, wanted, runnable=True)
    if change is None:
        return None
    settings = zip(SETTINGS, change.words, wanted, strict=True)
    changed = {name: value for name, value, before in settings if value != before}
    if changed.pop("batching", None) is not None:
        changed["packing"] = "yes" if change.batching == "packed" else "no"
    return changed


_WELL_KNOWN = "rtx-4090"
"""The card that tells which of two changes is the faster one where nobody knows the plan's."""


def _timed_card(card_id: str | None) -> hwdb.Card:
    card = None if card_id is None else hwdb.find_card(card_id)
    if card is None or rates_of(card, hwdb.speed_constants()) is None:
        return hwdb.find_card(_WELL_KNOWN)
    return card
