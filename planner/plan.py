"""The plan: what each method would need, which one to take, and every choice with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from planner.advice.method import Recommendation, recommend
from planner.advice.settings import (
    FEWEST_ROWS_TO_HOLD_OUT,
    TASK_OF_LAYOUT,
    Asked,
    DataFacts,
    learning_rate_choice,
    request_for,
)
from planner.advice.train_last import with_layers_chosen
from planner.budget import Budget
from planner.doubt import doubt_of
from planner.memory.estimate import estimate_memory

# Also found here, beside what is made of them.
from planner.method_answer import Estimate as Estimate  # noqa: PLC0414
from planner.method_answer import MethodAnswer as MethodAnswer  # noqa: PLC0414
from planner.method_answer import answer_of
from planner.method_answer import at_length as at_length  # noqa: PLC0414
from planner.request import METHODS, Method
from planner.shape import ModelShape
from planner.speed.correction import TimeCorrection

ModelSource = Literal["hwdb", "hub", "folder"]


class PlannedModel(NamedTuple):
    """The model a plan is about."""

    id: str
    """What to call it: the short name of hwdb, the Hub name or the folder's name."""
    hub_id: str | None
    revision: str | None
    folder: str | None
    source: ModelSource
    shape: ModelShape
    gated: bool | None = None
    config: Mapping[str, Any] | None = None
    """Its config.json, or the part of it that hwdb knows."""


class PlanWarning(NamedTuple):
    """Something to know before starting."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The answer to "can I fine-tune this here, and how?"."""

    model: PlannedModel
    budget: Budget | None
    """None when there is no card to judge against."""
    asked: Asked
    data: DataFacts | None
    answers: tuple[MethodAnswer, ...]
    recommendation: Recommendation | None
    warnings: tuple[PlanWarning, ...]

    def answer(self, method: Method) -> MethodAnswer:
        """The answer for one method. Raises KeyError when it was not asked about."""
        for answer in self.answers:
            if answer.method == method:
                return answer
        raise KeyError(method)

    @property
    def chosen(self) -> MethodAnswer | None:
        """The method to run: the one asked for, else the recommended one."""
        if self.asked.method is not None:
            return self.answer(self.asked.method)
        return None if self.recommendation is None else self.answer(self.recommendation.method)

    @property
    def fits(self) -> bool:
        """Whether at least one answer fits, or there was nothing to judge against."""
        verdicts = [answer.verdict.fits for answer in self.answers]
        return any(fits in ("yes", "tight", None) for fits in verdicts)


def make_plan(
    model: PlannedModel,
    budget: Budget | None,
    asked: Asked,
    data: DataFacts | None = None,
    *,
    estimate: Estimate = estimate_memory,
    learned_time: Callable[[Method], TimeCorrection | None] | None = None,
    weigh: bool = False,
) -> Plan:
    """Plan a fine-tune of `model` in `budget`, by what `estimate` says of each method.

    `learned_time` is what earlier runs say about the time of a method; `weigh` says what
    other kernels, optimizers and weights of the method to run would cost, which takes a while.
    Raises RequestError when what was asked for cannot be.
    """
    of_data = None if data is None else TASK_OF_LAYOUT.get(data.layout)
    asked = replace(asked, task=asked.task or of_data or model.shape.usual_task)
    asked, why_layers = with_layers_chosen(asked, model.shape, budget, data)
    methods = METHODS if asked.method is None else (asked.method,)
    answers = tuple(
        answer_of(
            model.shape,
            request_for(method, asked=asked, shape=model.shape, budget=budget, data=data),
            budget,
            estimate,
            () if data is None else data.lengths,
        )
        for method in methods
    )
    if data is not None:
        from planner.speeding_up import with_chosen_sped_up

        answers = with_chosen_sped_up(answers, budget, asked, data, estimate, weigh=weigh)
    if why_layers is not None:
        answers = tuple(_with_reason(each, why_layers) for each in answers)
    if learned_time is not None:
        answers = tuple(
            replace(answer, time_correction=learned_time(answer.method)) for answer in answers
        )
    return Plan(
        model=model,
        budget=budget,
        asked=asked,
        data=data,
        answers=answers,
        recommendation=recommend(answers),
        warnings=(
            *_warnings(model, answers, budget),
            *_rate_warnings(model, answers, asked),
            *_data_warnings(answers, data),
        ),
    )


def _with_reason(answer: MethodAnswer, why_layers: str) -> MethodAnswer:
    if answer.request.trainable_layers is None:
        return answer
    return replace(answer, reasons={**answer.reasons, "trainable_layers": why_layers})


_FAR_ABOVE = 10
"""Times the usual learning rate, from which a run rarely ends well."""


def _rate_warnings(
    model: PlannedModel, answers: tuple[MethodAnswer, ...], asked: Asked
) -> list[PlanWarning]:
    rate = asked.learning_rate
    if rate is None:
        return []
    free, size = replace(asked, learning_rate=None), model.shape.parameters
    usual = max(learning_rate_choice(free, each.method, size).value for each in answers)
    if rate <= _FAR_ABOVE * usual:
        return []
    text = f"a learning rate of {rate:g} is {rate / usual:.0f} times the usual {usual:g}: it may "
    return [PlanWarning(code="RATE_FAR_ABOVE", text=f"{text}well diverge")]


def _data_warnings(answers: tuple[MethodAnswer, ...], data: DataFacts | None) -> list[PlanWarning]:
    found: list[PlanWarning] = []
    if data is None:
        return found
    if not data.lengths_exact:
        text = f"lengths of rows are {data.how}: what they need is approximate"
        found.append(PlanWarning(code="LENGTHS_ESTIMATED", text=text))
    limit = min(answer.request.sequence_tokens for answer in answers)
    cut = sum(tokens > limit for tokens in data.lengths)
    if cut:
        which = "all rows" if cut == data.rows else f"{cut} of {data.rows} rows"
        text = f"{which} have more than {limit} tokens and are cut there"
        found.append(PlanWarning(code="ROWS_CUT", text=text))
    if data.held_out_rows is None and data.rows < FEWEST_ROWS_TO_HOLD_OUT:
        few = "1 row is" if data.rows == 1 else f"{data.rows} rows are"
        text = f"{few} too few to hold any out: whether it helped is not measured"
        found.append(PlanWarning(code="NOTHING_HELD_OUT", text=text))
    return found


def _warnings(
    model: PlannedModel, answers: tuple[MethodAnswer, ...], budget: Budget | None
) -> list[PlanWarning]:
    found = []
    doubt = doubt_of(model.shape)
    if doubt is not None and any(answer.memory.basis.tier != "trace" for answer in answers):
        text = f"{doubt}; --trace asks its own classes"
        found.append(PlanWarning(code="FAMILY_UNKNOWN", text=text))
    quantized = [answer for answer in answers if answer.method == "qlora"]
    if quantized and model.shape.expert_parameters:
        text = "bitsandbytes leaves this model's experts in 16 bit, so qlora saves little"
        found.append(PlanWarning(code="EXPERTS_NOT_QUANTIZED", text=text))
    if budget is not None and budget.source != "host" and budget.free_bytes is None:
        text = f"{budget.name} does not tell its memory, so no verdict is given"
        found.append(PlanWarning(code="MEMORY_UNKNOWN", text=text))
    context = model.shape.max_context_tokens
    longest = max(answer.request.sequence_tokens for answer in answers)
    of_text = model.shape.image_tokens is None
    if of_text and context is not None and longest > context:
        text = f"{longest} tokens are more than the {context} this model was made for"
        found.append(PlanWarning(code="BEYOND_CONTEXT", text=text))
    return found
