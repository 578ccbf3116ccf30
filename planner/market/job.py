"""One job on one card: whether it runs, how, how long, and how well that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from planner.advice.settings import Asked, DataFacts
from planner.budget import budget_of_card
from planner.expected import Expectation, expectation_of
from planner.memory.once import estimate_once
from planner.plan import MethodAnswer, Plan, PlannedModel, make_plan
from planner.settle import pace_of
from planner.speed.hours import DOWNLOAD_BYTES_PER_SECOND, RunTime

if TYPE_CHECKING:
    from hwdb.card import Card

Rung = Literal["comfortable", "trade-offs", "no"]
"""comfortable: fits without quantization and with room; trade-offs: only quantized, or tight, or
nearly full; no: nothing fits."""

Evidence = Literal["measured", "near", "extrapolated", "estimated"]
"""measured: this very job ran here; near: runs of the same card, or of the same kind, were learned
from; extrapolated: the rule between them; estimated: nothing measured is close."""

_EVIDENCE: dict[str, Evidence] = {
    "here": "measured",
    "measured": "near",
    "family": "extrapolated",
    "rule": "extrapolated",
    "rough": "estimated",
}
_ROOM = 0.9
"""Share of the memory that a comfortable run stays below."""


class Job(NamedTuple):
    """What is to be trained, on whatever card."""

    model: PlannedModel
    asked: Asked
    data: DataFacts


class CardAnswer(NamedTuple):
    """A job on one card."""

    card: Card
    plan: Plan
    answer: MethodAnswer | None
    """The method to run; None where nothing fits or the memory is unknown."""
    rung: Rung | None
    """None where the card's memory is unknown."""
    expectation: Expectation | None

    @property
    def time(self) -> RunTime | None:
        """Hours on the card; None where its speed is unknown."""
        return None if self.expectation is None else self.expectation.time

    @property
    def time_evidence(self) -> Evidence | None:
        """How well the time is known."""
        return None if self.time is None else _EVIDENCE[self.time.situation]

    @property
    def memory_evidence(self) -> Evidence | None:
        """How well the memory is known."""
        return None if self.answer is None else evidence_of_memory(self.answer)

    @property
    def download_seconds(self) -> float:
        """Bringing the weights to a machine that does not have them. Assumed line."""
        return 2 * self.plan.model.shape.parameters / DOWNLOAD_BYTES_PER_SECOND


def evidence_of_memory(answer: MethodAnswer) -> Evidence:
    """How well the memory of a method is known."""
    basis = answer.memory.basis
    if basis.tier == "measured":
        return "measured"
    if basis.runs is not None:
        return "near"
    return "extrapolated" if answer.shape.recognized else "estimated"


def job_on(job: Job, card: Card) -> CardAnswer:
    """The job on a card of hwdb that is otherwise idle."""
    budget = budget_of_card(card)
    plan = make_plan(job.model, budget, job.asked, job.data, estimate=estimate_once)
    chosen = plan.chosen
    if budget.free_bytes is None:
        return CardAnswer(card, plan, None, None, None)
    if chosen is None or chosen.verdict.fits == "no":
        return CardAnswer(card, plan, None, "no", None)
    expectation = expectation_of(plan, chosen, pace_of(plan, chosen))
    return CardAnswer(card, plan, chosen, _rung(chosen, budget.free_bytes, job.asked), expectation)


def _rung(answer: MethodAnswer, free_bytes: int, asked: Asked) -> Rung:
    quantized = answer.method == "qlora" and asked.method != "qlora"
    roomy = answer.memory.needed.expected_bytes <= _ROOM * free_bytes
    if answer.verdict.fits == "yes" and roomy and not quantized:
        return "comfortable"
    return "trade-offs"
