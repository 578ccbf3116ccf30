"""One attempt at a run, from the plan to the result, told in events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from transformers import set_seed

from launcher.runs.checkpoints import remove_leftovers
from launcher.runs.events import EventLog
from launcher.runs.folder import RunFolder
from launcher.runs.stored_plan import stored_plan
from launcher.training.arguments import refuse_what_is_not_there
from launcher.training.best import BestSoFar
from launcher.training.callbacks import CheckpointEvents, PulseEvents, StepEvents
from launcher.training.causal_lm import language_model_parts
from launcher.training.classifier import classifier_parts
from launcher.training.classifier_measuring import ClassifierMeasurements
from launcher.training.context import Context
from launcher.training.evidence import Evidence
from launcher.training.loading import loaded_bytes, parameter_counts
from launcher.training.measuring import Measurements
from launcher.training.own_memory import tell_memory
from launcher.training.progress import Progress
from launcher.training.resuming import no_step_is_left
from launcher.training.saving import CheckpointWriter, save_result
from launcher.training.stopping import StopRequest
from launcher.training.trainer import SafeSaving
from planner.run_plan import RunPlan


def train(
    plan: RunPlan,
    run: Path,
    *,
    events: EventLog,
    stop: StopRequest,
    resume_from: Path | None = None,
) -> None:
    """Carry out `plan` in the folder `run`, going on from a verified checkpoint if one is given.

    Raises TlplanError classes for what a person can mend, StopNow when asked to stop.
    """
    refuse_what_is_not_there(plan)
    remove_leftovers(run)
    try:
        context = Context.of(plan, run, events=events, stop=stop)
        _carry_out(context, resume_from)
    finally:
        # Also after a failure: half a checkpoint may be what filled the disk.
        remove_leftovers(run)


def _carry_out(context: Context, resume_from: Path | None) -> None:
    plan, run, events, stop = context.plan, context.run, context.events, context.stop
    progress = Progress() if resume_from is None else Progress.load(resume_from)
    trainer, measurements, evidence = parts_of(context)
    _report_model(trainer, events)
    if resume_from is None:
        progress.evaluation_before = measurements.evaluate("before")
        measurements.answer("before")
        _gather(evidence, events, "before")
    stop.check()

    events.append("phase", phase="training")
    best = BestSoFar(plan, progress, events)

    def during() -> bool:
        loss = measurements.evaluate("during")
        events.append("phase", phase="training")
        if loss is None:
            return False
        assert measurements.score is not None
        return best.take(trainer.state.global_step, measurements.score, loss)

    steps = StepEvents(plan=plan, events=events, progress=progress, stop=stop, evaluate=during)
    writer = CheckpointWriter(run=run, plan=plan, events=events, progress=progress)
    trainer.add_callback(PulseEvents(context.pulse))
    trainer.add_callback(steps)
    trainer.add_callback(CheckpointEvents(writer))
    _take_steps(trainer, plan, stop, resume_from, stopped_early=best.is_over)

    evaluation_after = measurements.evaluate("after")
    best_step = best.go_back(trainer, run, measurements.score)
    if best_step is not None:
        evaluation_after = measurements.evaluate("after")
    measurements.answer("after")
    _gather(evidence, events, "after")
    stop.check()
    events.append("phase", phase="saving")
    result = save_result(trainer, run)
    tell_memory(events)
    events.append(
        "finished",
        steps=trainer.state.global_step,
        training_seconds=round(progress.seconds, 3),
        loss_first=progress.loss_first,
        loss_last=progress.loss_last,
        evaluation_before=progress.evaluation_before,
        evaluation_after=evaluation_after,
        best_step=best_step,
        result=result,
    )


def parts_of(
    context: Context, *, pick: Callable[[Any], Any] | None = None
) -> tuple[SafeSaving, Measurements | ClassifierMeasurements, Evidence]:
    """The trainer of a plan and what measures it; `pick` chooses among the prepared rows."""
    is_language = context.plan.training.task == "causal-lm"
    make = language_model_parts if is_language else classifier_parts
    trainer, measurements, evidence = make(context, pick=pick)
    trainer.run = context.run
    folder = RunFolder(context.run)
    if trainer.grouped_lengths is not None and folder.plan.exists():
        # As asked: recovery may have made the micro-batch smaller since.
        trainer.grouped_rows = stored_plan(folder).training.micro_batch_rows
    return trainer, measurements, evidence


def _gather(evidence: Evidence, events: EventLog, when: Literal["before", "after"]) -> None:
    """Evidence that the run helped, as far as the plan asks for it."""
    if not evidence.is_wanted:
        return
    events.append("phase", phase="comparing")
    if when == "before":
        evidence.before()
        return
    report = evidence.after()
    if report is not None:
        events.append("comparison", **report)


def _report_model(trainer: SafeSaving, events: EventLog) -> None:
    parameters, trainable = parameter_counts(trainer.model)
    events.append(
        "model",
        parameters=parameters,
        trainable_parameters=trainable,
        loaded_bytes=loaded_bytes(trainer.model),
    )


def _take_steps(
    trainer: SafeSaving,
    plan: RunPlan,
    stop: StopRequest,
    resume_from: Path | None,
    *,
    stopped_early: bool,
) -> None:
    """Take the optimizer steps that are left. Raises StopNow, after saving, when asked to."""
    if resume_from is not None and (stopped_early or no_step_is_left(resume_from)):
        trainer.take_up(resume_from)
        return
    # Whatever was measured before must not move the random numbers of training.
    set_seed(plan.training.seed)
    with stop.noticed_by_loop():
        trainer.train(resume_from_checkpoint=str(resume_from) if resume_from else None)
    stop.check()
