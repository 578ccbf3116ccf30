"""The loop of a run: passes, rate, checkpoints, evaluations; each chosen with its reason."""

from __future__ import annotations

from math import ceil

from planner.advice.asked import DataFacts
from planner.advice.learning import head_learning_rate
from planner.advice.rows import rows_held
from planner.advice.settings import (
    ASKED,
    FEWEST_ROWS_TO_HOLD_OUT,
    Choice,
    batch_choices,
    epochs_choice,
    learning_rate_choice,
    sequence_choice,
)
from planner.advice.unequal import grouping_reason, packing_reason
from planner.expected import Pace
from planner.optional_sections import EvaluationSection
from planner.plan import MethodAnswer, Plan
from planner.run_plan import TrainingSection

_HELD_OUT_SHARE = 0.1
_MOST_ROWS_HELD_OUT = 200
_SET_ASIDE = Choice(value=0.0, reason="the rows to measure on stand apart from these")
_FEWEST_EVALUATIONS_TO_STOP = 5
_PATIENCE = 3
_ANSWERS = 100
_ANSWERS_ON_CPU = 24
_ANSWER_SECONDS = 120
_ANSWER_SECONDS_ON_CPU = 60
_EXAMPLES = 5
_CHECKPOINTS_A_RUN = 10
_LEAST_STEPS_BETWEEN_CHECKPOINTS = 5
_MOST_STEPS_BETWEEN_CHECKPOINTS = 100
_LEAST_STEPS_FOR_WARMUP = 20


class Loop:
    """The training section and the choices it is made of."""

    def __init__(self, plan: Plan, answer: MethodAnswer) -> None:
        assert plan.data is not None
        self.asked, self.answer = plan.asked, answer
        rows = plan.data.rows
        self.lengths = plan.data.lengths
        self.sequence = sequence_choice(plan.asked, plan.data, plan.model.shape)
        self.micro, self.accumulation = _batch(plan, answer)
        self.epochs = epochs_choice(plan.asked, rows, round(self._rows_a_step()))
        self.learning_rate = learning_rate_choice(
            plan.asked, answer.method, plan.model.shape.parameters
        )
        self.set_aside = plan.data.held_out_rows
        self.measured = held_out_rows(plan.data)
        self.held_out = (
            _held_out(rows, plan.data.held_out_by_hash) if self.set_aside is None else _SET_ASIDE
        )
        self.loss_on = _loss_on(plan.data.layout)
        self.steps = self._steps(rows)
        self.checkpoint_every = self._checkpoint_every()
        self.evaluate_every = self._evaluate_every()
        self.warmup = self._warmup()
        self.stop_after = self._stop_after()
        self.head_rate = head_learning_rate(self.learning_rate.value, task=answer.request.task)

    def _layers_reason(self) -> str:
        layers = self.answer.request.trainable_layers
        if layers is None:
            return "N: with full, only the last N blocks and the head"
        if "trainable_layers" in self.answer.reasons:
            return self.answer.reasons["trainable_layers"]
        return "the head alone, on frozen features" if layers == 0 else ASKED

    def _packing_reason(self) -> str:
        request = self.answer.request
        if request.task != "causal-lm":
            return "each row has a label of its own"
        because = self.answer.reasons.get("batching")
        if self.asked.packing is not None:
            because = ASKED
        ways = self.answer.memory.ways
        return packing_reason(self.answer.shape, request, self.lengths, because, ways)

    def _warmup(self) -> Choice:
        if self.steps < _LEAST_STEPS_FOR_WARMUP:
            return Choice(value=0.0, reason="too few steps to spend any on a slow start")
        return Choice(value=0.03, reason="the first steps are small")

    def _steps(self, rows: int) -> int:
        trained = rows - self.measured if self.set_aside is None else rows
        request = self.answer.request
        batches = ceil(trained / (request.micro_batch * rows_held(request, self.lengths)))
        # As Trainer counts: what is left at the end of a pass is a step of its own.
        a_pass = ceil(batches / request.accumulation)
        steps: int = max(1, ceil(a_pass * self.epochs.value))
        return steps if self.asked.max_steps is None else min(steps, self.asked.max_steps)

    def _rows_a_step(self) -> float:
        request = self.answer.request
        held = rows_held(request, self.lengths)
        return request.micro_batch * request.accumulation * held

    def _checkpoint_every(self) -> Choice:
        wanted = max(1, min(_CHECKPOINTS_A_RUN, self.steps // _LEAST_STEPS_BETWEEN_CHECKPOINTS))
        share = ceil(self.steps / wanted)
        every = max(1, min(_MOST_STEPS_BETWEEN_CHECKPOINTS, share))
        return Choice(value=every, reason=f"about {ceil(self.steps / every)} in {self.steps} steps")

    def _evaluate_every(self) -> Choice:
        """Only where a checkpoint is written too, so that a measured state can be returned to."""
        held_out = self.measured
        if not held_out:
            return Choice(value=0, reason="no rows are held out")
        # A row measured costs a third of a row trained; about a sixth of the time goes there.
        affordable = max(1.0, self.steps * self._rows_a_step() / 2 / held_out)
        apart = max(1, ceil(self.steps / self.checkpoint_every.value / affordable))
        return Choice(
            value=apart * self.checkpoint_every.value,
            reason=f"{held_out} rows; 0: before and after",
        )

    def _stop_after(self) -> Choice:
        every = self.evaluate_every.value
        if not every or self.steps // every < _FEWEST_EVALUATIONS_TO_STOP:
            return Choice(value=0, reason="too few evaluations to end early by")
        return Choice(value=_PATIENCE, reason=f"ends early when {_PATIENCE} in a row are no better")

    def pace(self) -> Pace:
        """What the length of the run depends on."""
        return Pace(
            steps=self.steps,
            held_out_rows=self.measured,
            evaluate_every=self.evaluate_every.value,
            checkpoint_every=self.checkpoint_every.value,
            keep_best=self.evaluate_every.value > 0,
            evidence=self.evidence(),
        )

    def evidence(self) -> EvaluationSection:
        """What the run ends with; nothing where no row is held out."""
        rows = self.measured
        on_cpu = self.answer.request.device == "cpu"
        language = self.answer.request.task == "causal-lm"
        return EvaluationSection(
            answer_rows=min(rows, _ANSWERS_ON_CPU if on_cpu and language else _ANSWERS),
            answer_seconds=_ANSWER_SECONDS_ON_CPU if on_cpu else _ANSWER_SECONDS,
            few_shot_examples=_EXAMPLES if rows else 0,
            forgetting=language and rows > 0,
        )

    def section(self) -> TrainingSection:
        """As plan.yaml has it."""
        request = self.answer.request
        return TrainingSection(
            task=request.task,
            sequence_tokens=request.sequence_tokens,
            micro_batch_rows=request.micro_batch,
            accumulation_steps=request.accumulation,
            epochs=self.epochs.value,
            max_steps=self.asked.max_steps,
            learning_rate=self.learning_rate.value,
            schedule="linear",
            warmup_fraction=self.warmup.value,
            optimizer=request.optimizer,
            checkpointing=request.checkpointing,
            attention=request.attention,
            loss=request.loss,
            packing=request.batching == "packed",
            checkpoint_every_steps=self.checkpoint_every.value,
            evaluate_every_steps=self.evaluate_every.value,
            keep_checkpoints=2,
            seed=0 if self.asked.seed is None else self.asked.seed,
            trainable_layers=request.trainable_layers,
            head_learning_rate=self.head_rate.value,
            stop_after_evaluations=self.stop_after.value,
            group_by_length=request.batching == "grouped",
            keep_best=self.evaluate_every.value > 0,
        )

    def reasons(self) -> dict[str, str]:
        """Why, by "section.key"."""
        return {
            "data.held_out_fraction": self.held_out.reason,
            "data.loss_on": self.loss_on.reason,
            "training.sequence_tokens": self.sequence.reason,
            "training.micro_batch_rows": self.micro.reason,
            "training.accumulation_steps": self.accumulation.reason,
            "training.epochs": self.epochs.reason,
            "training.learning_rate": self.learning_rate.reason,
            "training.checkpoint_every_steps": self.checkpoint_every.reason,
            "training.evaluate_every_steps": self.evaluate_every.reason,
            "training.packing": self._packing_reason(),
            "training.group_by_length": grouping_reason(self.answer.request, self.lengths),
            "training.keep_checkpoints": "the newest and one to fall back on",
            "training.warmup_fraction": self.warmup.reason,
            "training.schedule": "down to zero at the end",
            "training.trainable_layers": self._layers_reason(),
            "training.head_learning_rate": self.head_rate.reason,
            "training.stop_after_evaluations": self.stop_after.reason,
            "evaluation.answer_rows": "base, base with examples and tuned answer them; 0: none",
            "evaluation.answer_seconds": "a condition takes no more rows after this",
            "evaluation.few_shot_examples": "training rows in the base model's prompt, if they fit",
            "evaluation.forgetting": "60 general tasks and 12 texts before and after",
            "training.keep_best": "the result is the best checkpoint on held-out rows",
        }


def held_out_rows(data: DataFacts) -> int:
    """Rows that a run measures on: counted where they are known, else about as many."""
    counted = data.held_out_by_hash if data.held_out_rows is None else data.held_out_rows
    return round(data.rows * held_out_share(data.rows)) if counted is None else counted


def held_out_share(rows: int) -> float:
    """The share of rows that a run keeps out of training."""
    return float(_held_out(rows).value)


def _held_out(rows: int, counted: int | None = None) -> Choice:
    if rows < FEWEST_ROWS_TO_HOLD_OUT:
        return Choice(value=0.0, reason=f"{rows} rows are too few to hold any out")
    share = min(_HELD_OUT_SHARE, _MOST_ROWS_HELD_OUT / rows)
    share = round(share, 4)
    words = f"about {max(1, round(rows * share))}" if counted is None else str(counted)
    return Choice(value=share, reason=f"{words} row{'' if words == '1' else 's'} to measure on")


def _loss_on(layout: str) -> Choice:
    if layout == "text":
        return Choice(value="all-tokens", reason="plain text has no answers")
    return Choice(value="answers", reason="learn the answers, not the questions")


def _batch(plan: Plan, answer: MethodAnswer) -> tuple[Choice, Choice]:
    """Rows at once and micro-batches a step, with their reasons."""
    micro, accumulation = batch_choices(plan.asked, plan.model.shape)
    because, request = answer.reasons, answer.request
    together = accumulation.reason
    if request.batching == "packed" and plan.asked.accumulation is None:
        together = f"about {micro.value * accumulation.value} rows a step, at no memory"
    return (
        Choice(value=request.micro_batch, reason=because.get("micro_batch", micro.reason)),
        Choice(value=request.accumulation, reason=because.get("accumulation", together)),
    )
