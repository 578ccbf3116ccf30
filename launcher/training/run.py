"""One attempt at a run, from the plan to the result, told in events."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedTokenizerBase, set_seed

from launcher.runs.checkpoints import remove_leftovers, writing_folder
from launcher.runs.events import EventLog
from launcher.runs.folder import RunFolder
from launcher.training.arguments import refuse_what_is_not_there, sft_config
from launcher.training.callbacks import CheckpointEvents, PulseEvents, StepEvents
from launcher.training.dataset import as_dataset
from launcher.training.loading import (
    cast_adapters,
    load_model,
    load_tokenizer,
    loaded_bytes,
    lora_config,
    parameter_counts,
)
from launcher.training.measuring import Measurements
from launcher.training.preparing import PreparedRows, prepare_rows
from launcher.training.progress import Progress
from launcher.training.pulse import Pulse
from launcher.training.resuming import no_step_is_left
from launcher.training.saving import CheckpointWriter, save_result
from launcher.training.stopping import StopRequest
from launcher.training.trainer import FullLogitsTrainer, RunTrainer
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
        _carry_out(plan, run, events=events, stop=stop, resume_from=resume_from)
    finally:
        # Also after a failure: half a checkpoint may be what filled the disk.
        remove_leftovers(run)


def _carry_out(
    plan: RunPlan, run: Path, *, events: EventLog, stop: StopRequest, resume_from: Path | None
) -> None:
    progress = Progress() if resume_from is None else Progress.load(resume_from)

    # What is wrong with the data must show before gigabytes are loaded.
    events.append("phase", phase="tokenizing")
    tokenizer = load_tokenizer(plan)
    rows = prepare_rows(plan, tokenizer, events)

    events.append("phase", phase="loading weights")
    trainer = _build_trainer(plan, run, tokenizer=tokenizer, rows=rows)
    _report_model(trainer, events)
    pulse = Pulse(RunFolder(run).pulse)
    measurements = Measurements(trainer, rows, plan=plan, events=events, stop=stop, pulse=pulse)
    if resume_from is None:
        progress.evaluation_before = measurements.evaluate("before")
        measurements.answer("before")

    events.append("phase", phase="training")
    during = measurements.during
    steps = StepEvents(plan=plan, events=events, progress=progress, stop=stop, evaluate=during)
    writer = CheckpointWriter(run=run, plan=plan, events=events, progress=progress)
    trainer.add_callback(PulseEvents(pulse))
    trainer.add_callback(steps)
    trainer.add_callback(CheckpointEvents(writer))
    _take_steps(trainer, plan, stop, resume_from)

    evaluation_after = measurements.evaluate("after")
    measurements.answer("after")
    stop.check()
    events.append("phase", phase="saving")
    result = save_result(trainer, run)
    events.append(
        "finished",
        steps=trainer.state.global_step,
        training_seconds=round(progress.seconds, 3),
        loss_first=progress.loss_first,
        loss_last=progress.loss_last,
        evaluation_before=progress.evaluation_before,
        evaluation_after=evaluation_after,
        result=result,
    )


def _build_trainer(
    plan: RunPlan, run: Path, *, tokenizer: PreTrainedTokenizerBase, rows: PreparedRows
) -> RunTrainer:
    trainer_class = RunTrainer if plan.training.loss == "chunked" else FullLogitsTrainer
    trainer = trainer_class(
        model=load_model(plan),
        args=sft_config(plan, writing_folder(run)),
        train_dataset=as_dataset(rows.train),
        processing_class=tokenizer,
        peft_config=lora_config(plan),
    )
    cast_adapters(trainer.model, plan)
    trainer.run = run
    return trainer


def _report_model(trainer: RunTrainer, events: EventLog) -> None:
    parameters, trainable = parameter_counts(trainer.model)
    events.append(
        "model",
        parameters=parameters,
        trainable_parameters=trainable,
        loaded_bytes=loaded_bytes(trainer.model),
    )


def _take_steps(
    trainer: RunTrainer, plan: RunPlan, stop: StopRequest, resume_from: Path | None
) -> None:
    """Take the optimizer steps that are left. Raises StopNow, after saving, when asked to."""
    if resume_from is not None and no_step_is_left(resume_from):
        trainer.take_up(resume_from)
        return
    # Whatever was measured before must not move the random numbers of training.
    set_seed(plan.training.seed)
    with stop.noticed_by_loop():
        trainer.train(resume_from_checkpoint=str(resume_from) if resume_from else None)
    stop.check()
