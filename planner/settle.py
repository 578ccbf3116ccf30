"""From a plan to the run it proposes: every key of plan.yaml, and the reason of each choice."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from planner.advice.settings import (
    Choice,
    batch_choices,
    epochs_choice,
    learning_rate_choice,
    sequence_choice,
)
from planner.expected import Expectation, Pace, expectation_of
from planner.plan import MethodAnswer, Plan
from planner.reasons import other_reasons
from planner.run_plan import (
    DataSection,
    HardwareSection,
    MethodSection,
    ModelSection,
    OutputSection,
    RunPlan,
    TrainingSection,
)

_LEAST_ROWS_HELD_OUT = 10
_HELD_OUT_SHARE = 0.1
_MOST_ROWS_HELD_OUT = 200
_CHECKPOINTS_A_RUN = 10
_LEAST_STEPS_BETWEEN_CHECKPOINTS = 5
_MOST_STEPS_BETWEEN_CHECKPOINTS = 100
_LEAST_STEPS_FOR_WARMUP = 20


class NothingChosen(ValueError):
    """The plan has no method to run, because none fits or there is nothing to judge against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A run with the reason of each choice, by "section.key"."""

    run_plan: RunPlan
    reasons: dict[str, str]
    steps: int
    """Optimizer steps of the whole run."""
    expectation: Expectation


def settle(plan: Plan, *, folder: str) -> Settled:
    """The run a plan proposes, to be written into the run folder `folder`.

    Raises NothingChosen when no method is asked for and none fits, ValueError without data.
    """
    answer = plan.chosen
    if answer is None:
        raise NothingChosen("no method fits")
    if plan.data is None:
        raise ValueError("a run needs data")
    loop = _Loop(plan, answer)
    expectation = expectation_of(plan, answer, loop.pace())
    run_plan = RunPlan(
        model=ModelSection(
            name=plan.model.id,
            hub_id=plan.model.hub_id,
            revision=plan.model.revision,
            folder=plan.model.folder,
        ),
        data=DataSection(
            train=plan.data.path,
            held_out_fraction=loop.held_out.value,
            loss_on=loop.loss_on.value,
        ),
        method=_method(answer),
        training=loop.section(),
        hardware=_hardware(plan, answer),
        output=OutputSection(folder=folder),
        expected=expectation.section(answer.memory),
    )
    told = expectation.reasons(adapter=answer.request.adapter is not None)
    reasons = {**loop.reasons(), **other_reasons(plan, answer), **told}
    return Settled(run_plan=run_plan, reasons=reasons, steps=loop.steps, expectation=expectation)


def pace_of(plan: Plan, answer: MethodAnswer) -> Pace:
    """How often the run that a plan proposes does what."""
    return _Loop(plan, answer).pace()


class _Loop:
    """The training section and the choices it is made of."""

    def __init__(self, plan: Plan, answer: MethodAnswer) -> None:
        assert plan.data is not None
        self.asked, self.answer = plan.asked, answer
        self.data_rows = rows = plan.data.rows
        self.sequence = sequence_choice(plan.asked, plan.data, plan.model.shape)
        self.micro, self.accumulation = _batch(plan, answer)
        self.epochs = epochs_choice(plan.asked, rows, self.micro.value * self.accumulation.value)
        self.learning_rate = learning_rate_choice(
            plan.asked, answer.method, plan.model.shape.parameters
        )
        self.held_out = _held_out(rows)
        self.loss_on = _loss_on(plan.data.layout)
        self.steps = self._steps(rows)
        self.checkpoint_every = self._checkpoint_every()
        self.evaluate_every = self._evaluate_every(rows)
        self.warmup = self._warmup()

    def _warmup(self) -> Choice:
        if self.steps < _LEAST_STEPS_FOR_WARMUP:
            return Choice(value=0.0, reason="too few steps to spend any on a slow start")
        return Choice(value=0.03, reason="the first steps are small")

    def _steps(self, rows: int) -> int:
        trained = rows - round(rows * self.held_out.value)
        steps: int = max(1, ceil(trained / self._rows_a_step() * self.epochs.value))
        return steps if self.asked.max_steps is None else min(steps, self.asked.max_steps)

    def _rows_a_step(self) -> int:
        return self.answer.request.micro_batch * self.answer.request.accumulation

    def _checkpoint_every(self) -> Choice:
        wanted = max(1, min(_CHECKPOINTS_A_RUN, self.steps // _LEAST_STEPS_BETWEEN_CHECKPOINTS))
        share = ceil(self.steps / wanted)
        every = max(1, min(_MOST_STEPS_BETWEEN_CHECKPOINTS, share))
        return Choice(value=every, reason=f"about {ceil(self.steps / every)} in {self.steps} steps")

    def _evaluate_every(self, rows: int) -> Choice:
        """Only where a checkpoint is written too, so that a measured state can be returned to."""
        held_out = round(rows * self.held_out.value)
        if not held_out:
            return Choice(value=0, reason="no rows are held out")
        # A row measured costs a third of a row trained; about a sixth of the time goes there.
        affordable = max(1.0, self.steps * self._rows_a_step() / 2 / held_out)
        apart = max(1, ceil(self.steps / self.checkpoint_every.value / affordable))
        return Choice(
            value=apart * self.checkpoint_every.value,
            reason=f"{held_out} rows; 0: before and after",
        )

    def pace(self) -> Pace:
        return Pace(
            steps=self.steps,
            held_out_rows=round(self.data_rows * self.held_out.value),
            evaluate_every=self.evaluate_every.value,
            checkpoint_every=self.checkpoint_every.value,
        )

    def section(self) -> TrainingSection:
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
            packing=bool(self.asked.packing),
            checkpoint_every_steps=self.checkpoint_every.value,
            evaluate_every_steps=self.evaluate_every.value,
            keep_checkpoints=2,
            seed=0 if self.asked.seed is None else self.asked.seed,
        )

    def reasons(self) -> dict[str, str]:
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
            "training.keep_checkpoints": "the newest and one to fall back on",
            "training.warmup_fraction": self.warmup.reason,
            "training.schedule": "down to zero at the end",
        }


def held_out_rows(rows: int) -> int:
    """Rows that a run keeps out of training to measure on, about."""
    return round(rows * held_out_share(rows))


def held_out_share(rows: int) -> float:
    """The share of rows that a run keeps out of training."""
    return float(_held_out(rows).value)


def _held_out(rows: int) -> Choice:
    if rows < _LEAST_ROWS_HELD_OUT:
        return Choice(value=0.0, reason=f"{rows} rows are too few to hold any out")
    share = min(_HELD_OUT_SHARE, _MOST_ROWS_HELD_OUT / rows)
    share = round(share, 4)
    return Choice(value=share, reason=f"about {max(1, round(rows * share))} rows to measure on")


def _loss_on(layout: str) -> Choice:
    if layout == "text":
        return Choice(value="all-tokens", reason="plain text has no answers")
    return Choice(value="answers", reason="learn the answers, not the questions")


def _method(answer: MethodAnswer) -> MethodSection:
    request, adapter = answer.request, answer.request.adapter
    return MethodSection(
        name=answer.method,
        weights=request.weights,
        autocast=request.autocast,
        adapter=adapter.kind if adapter else None,
        rank=adapter.rank if adapter else None,
        alpha=2 * adapter.rank if adapter else None,
        dropout=adapter.dropout if adapter else None,
        targets=adapter.targets if adapter else None,
        adapter_dtype=adapter.dtype if adapter else None,
    )


def _hardware(plan: Plan, answer: MethodAnswer) -> HardwareSection:
    budget, memory = plan.budget, answer.memory
    here = budget is not None and budget.source == "nvml"
    return HardwareSection(
        device=answer.request.device,
        gpu=None if budget is None or budget.device == "cpu" else budget.name,
        gpu_uuid=budget.uuid if budget is not None and here else None,
        available_bytes=None if budget is None else budget.free_bytes,
        predicted_allocated_bytes=memory.allocated.expected_bytes,
        predicted_peak_bytes=memory.device.expected_bytes,
        predicted_low_bytes=memory.device.low_bytes,
        predicted_high_bytes=memory.device.high_bytes,
    )


def _batch(plan: Plan, answer: MethodAnswer) -> tuple[Choice, Choice]:
    """Rows at once and micro-batches a step, with their reasons."""
    micro, accumulation = batch_choices(plan.asked)
    because, request = answer.reasons, answer.request
    if "micro_batch" not in because:
        return micro, accumulation
    return (
        Choice(value=request.micro_batch, reason=because["micro_batch"]),
        Choice(value=request.accumulation, reason=because["accumulation"]),
    )
