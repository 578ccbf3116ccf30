"""What has been answered so far: one immutable value that travels through the steps.

It becomes a plan through the planner, as the options of a command do; nothing here computes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from planner.advice.asked import Asked

# What plans is imported where it plans: the first screen is painted without it.
if TYPE_CHECKING:
    from launcher.data.lengths import Lengths
    from launcher.wizard.price import Price
    from planner.advice.asked import DataFacts
    from planner.budget import Budget
    from planner.plan import MethodAnswer, Plan, PlannedModel
    from planner.request import Method, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenModel:
    """A model, and how it is named on a command line."""

    argument: str
    planned: PlannedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenData:
    """A data file that was read and found usable."""

    argument: str
    """The path as it was typed."""
    facts: DataFacts
    lengths: Lengths
    first_rows: tuple[dict[str, object], ...]
    """Some rows, to be shown."""
    notes: tuple[str, ...]
    found_as: str
    """How the rows were written, where that is not the layout."""
    stamp: tuple[int, int]
    """Size and time of the file when it was read, to notice that it changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Answers given so far; None is not answered yet."""

    budget: Budget | None = None
    gpu_argument: str | None = None
    """What --gpu would say; None for the card the commands take by themselves."""
    visible_device: str | None = None
    """What CUDA_VISIBLE_DEVICES would say, for a card the commands would not take."""
    model: ChosenModel | None = None
    data: ChosenData | None = None
    learns: Task | None = None
    """What the rows of a file that was named can teach; None while none was."""
    asked: Asked = field(default_factory=Asked)

    @property
    def simulated(self) -> bool:
        """Whether the memory is of a card that is not in this machine."""
        return self.budget is not None and self.budget.source == "simulated"


def plan_of(draft: Draft, *, model: PlannedModel | None = None) -> Plan:
    """The plan of what was answered, with all three methods; of another model where one is given.

    Raises RequestError when what was asked for cannot be.
    """
    planned = model or (draft.model.planned if draft.model else None)
    assert planned is not None, "a plan needs a model"
    facts = draft.data.facts if draft.data is not None else None
    asked = replace(draft.asked, method=None)
    plan = _plan(planned, draft.budget, asked, facts)
    if facts is None:
        return plan
    # Each method as it would be run; the planner speeds up only the one that is chosen.
    recommended = plan.recommendation and plan.recommendation.method
    answers = tuple(
        each
        if each.method == recommended
        else _plan(planned, draft.budget, replace(asked, method=each.method), facts).answers[0]
        for each in plan.answers
    )
    return replace(plan, answers=answers)


def with_model(draft: Draft, model: ChosenModel) -> Draft:
    """The draft with another model: rows are measured anew, settings stay where it has them.

    Raises UsageError for a model that nothing can be trained with.
    """
    from launcher.planning import task_for
    from planner.request import RequestError

    task_for(model.planned)
    changed = replace(draft, model=model)
    try:
        plan_of(changed)
    except RequestError:
        # Settings that were changed for the model before, such as layers it had.
        changed = replace(changed, asked=Asked())
    if draft.model is not None and draft.model.argument != model.argument:
        changed = replace(changed, data=None)
    return changed


def method_of(draft: Draft, plan: Plan) -> Method:
    """The method to run: the one asked for, else the recommended, else the lightest."""
    if draft.asked.method is not None:
        return draft.asked.method
    if plan.recommendation is not None:
        return plan.recommendation.method
    return min(plan.answers, key=needed_bytes).method


def needed_bytes(answer: MethodAnswer) -> int:
    """What an answer is compared by."""
    return answer.memory.needed.expected_bytes


def final_plan(draft: Draft, *, weigh: bool = False) -> Plan:
    """The plan as the command with the same options makes it: a recommended method is not asked.

    `weigh` compares its kernels with others, as the command does; a key has no time for that.
    Raises RequestError when what was asked for cannot be.
    """
    assert draft.model is not None, "a plan needs a model"
    facts = draft.data.facts if draft.data is not None else None
    return _plan(draft.model.planned, draft.budget, applicable(draft), facts, weigh=weigh)


def _plan(
    model: PlannedModel,
    budget: Budget | None,
    asked: Asked,
    facts: DataFacts | None,
    *,
    weigh: bool = False,
) -> Plan:
    """By the formula, remembered, and corrected by what runs on this machine have measured."""
    from launcher.learned.estimating import learned
    from launcher.learned.timing import learned_time
    from planner.memory import once
    from planner.plan import make_plan

    estimate = learned(once.estimate_once, budget)
    return make_plan(
        model,
        budget,
        asked,
        facts,
        estimate=estimate,
        learned_time=learned_time(budget),
        weigh=weigh,
    )


def applicable(draft: Draft) -> Asked:
    """What was asked, without what the method has no use for."""
    asked = draft.asked
    if asked.method == "full":
        return replace(asked, rank=None, targets=None)
    return asked


class RunForecast(NamedTuple):
    """What the whole run of a method would take; None is unknown."""

    seconds: float | None
    price: Price


def forecast(draft: Draft, answer: MethodAnswer) -> RunForecast:
    """Time and price of the run with this method, as the plan file and `tlplan cost` say them."""
    from launcher.wizard.price import UNKNOWN, price_of
    from planner.settle import settle

    if draft.data is None:
        return RunForecast(None, UNKNOWN)
    plan = final_plan(replace(draft, asked=replace(draft.asked, method=answer.method)))
    assert plan.chosen is not None
    expectation = settle(plan, folder="-").expectation
    seconds = None if expectation.time is None else expectation.time.on_card.expected
    return RunForecast(seconds, price_of(plan, plan.chosen, expectation))
