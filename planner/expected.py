"""What a run that is planned will take: hours, and bytes on disk."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from hwdb.find import find_card
from planner.advice.rows import over_rows
from planner.disk import checkpoint_bytes, download_bytes, result_bytes
from planner.memory.estimate import MemoryEstimate
from planner.optional_sections import EvaluationSection, ExpectedSection
from planner.plan import MethodAnswer, Plan
from planner.request import TrainingRequest
from planner.speed.hours import Comparison, RunLoop, RunTime, estimate_hours
from planner.units import duration_text, size_text


class Pace(NamedTuple):
    """How often a run does what."""

    steps: int
    held_out_rows: int
    evaluate_every: int
    """0: only before and after."""
    checkpoint_every: int
    keep_best: bool = False
    """Whether the best checkpoint is gone back to, and measured again."""
    evidence: EvaluationSection = EvaluationSection()


class Expectation(NamedTuple):
    """What a run will take."""

    steps: int
    time: RunTime | None
    """None where the card's speed is unknown."""
    result_bytes: int
    checkpoint_bytes: int
    checkpoint_every: int
    """Steps between two checkpoints."""

    def section(self, memory: MemoryEstimate) -> ExpectedSection:
        """The part of plan.yaml; `memory` is what the run is expected to need."""
        step = run = None
        if self.time is not None:
            step, run = self.time.step, self.time.on_card
        return ExpectedSection(
            step_seconds=_rounded(step and step.expected),
            step_seconds_low=_rounded(step and step.low),
            step_seconds_high=_rounded(step and step.high),
            run_seconds=_rounded(run and run.expected),
            run_seconds_low=_rounded(run and run.low),
            run_seconds_high=_rounded(run and run.high),
            result_bytes=self.result_bytes,
            checkpoint_bytes=self.checkpoint_bytes,
            uncorrected_step_seconds=_rounded(self.time and self.time.uncorrected_step),
            uncorrected_peak_bytes=memory.uncorrected_bytes,
            uncorrected_allocated_bytes=memory.uncorrected_allocated_bytes,
        )

    def reasons(self, *, adapter: bool) -> dict[str, str]:
        """What stands beside the keys of that part."""
        name = "the adapter" if adapter else "the model"
        reasons = {
            "expected.step_seconds": f"{self.steps} steps",
            "expected.result_bytes": f"{name}, {size_text(self.result_bytes)}",
            "expected.checkpoint_bytes": f"each, {size_text(self.checkpoint_bytes)}",
        }
        if self.time is None:
            return {**reasons, "expected.step_seconds": "unknown for this hardware"}
        if self.time.runs:
            many = "" if self.time.runs == 1 else "s"
            reasons["expected.step_seconds"] += f"; corrected by {self.time.runs} run{many} here"
        low, high = (duration_text(end) for end in self.time.on_card[1:])
        return {**reasons, "expected.run_seconds": f"{low} to {high}, a download left out"}


def expectation_of(plan: Plan, answer: MethodAnswer, pace: Pace) -> Expectation:
    """Time on the card the plan is for, with the lengths of its data, and sizes on disk."""
    assert plan.data is not None
    shape, request = answer.shape, answer.request
    card_id = None if plan.budget is None else plan.budget.card_id
    saved = checkpoint_bytes(shape, request)
    every = pace.evaluate_every
    # Before the first step and after the last one besides.
    evaluations = 2 + ((pace.steps - 1) // every if every else 0) + pace.keep_best
    time = estimate_hours(
        shape,
        over_rows(request, plan.data.lengths),
        None if card_id is None else find_card(card_id),
        RunLoop(
            steps=pace.steps,
            held_out_rows=pace.held_out_rows,
            evaluations=evaluations if pace.held_out_rows else 0,
            comparison=_comparison(pace.evidence, request),
            checkpoints=ceil(pace.steps / pace.checkpoint_every),
            checkpoint_bytes=saved,
            weights_bytes=download_bytes(shape),
        ),
        correction=answer.time_correction,
    )
    return Expectation(
        steps=pace.steps,
        time=time,
        result_bytes=result_bytes(shape, request),
        checkpoint_bytes=saved,
        checkpoint_every=pace.checkpoint_every,
    )


def _comparison(evidence: EvaluationSection, request: TrainingRequest) -> Comparison:
    answers = request.task == "causal-lm"
    return Comparison(
        rows=evidence.answer_rows,
        answer_tokens=evidence.answer_tokens if answers else 0,
        seconds=float(evidence.answer_seconds),
        examples=evidence.few_shot_examples,
        general=evidence.forgetting,
    )


def _rounded(seconds: float | None) -> float | None:
    """Four digits: more would pretend."""
    return None if seconds is None else float(f"{seconds:.4g}")
