"""A run in small before hours are spent: worst batch, evaluation, save, resume, usual steps.

Everything is written below RUN/.rehearsal and removed at the end. Running out of memory, NaN or a
full disk end it as they would end the run, only minutes after its start.
"""

from __future__ import annotations

import gc
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from launcher.runs.checkpoints import folder_bytes, list_checkpoints
from launcher.runs.events import EventLog, read_events
from launcher.runs.folder import RunFolder
from launcher.training.callbacks import CheckpointEvents, PulseEvents
from launcher.training.context import Context
from launcher.training.own_memory import tell_memory
from launcher.training.progress import Progress
from launcher.training.pulse import Pulse
from launcher.training.run import parts_of
from launcher.training.saving import CheckpointWriter, save_result
from launcher.training.step_seconds import StepSeconds
from launcher.training.stopping import StopRequest
from launcher.training.trainer import SafeSaving
from planner.run_plan import RunPlan
from planner.speed.lengths import row_lengths
from planner.speed.rehearsed import RehearsedTime, rehearsed_time

if TYPE_CHECKING:
    from launcher.training.classifier_measuring import ClassifierMeasurements
    from launcher.training.measuring import Measurements

_STEPS = 2
_WARM_UP_STEPS = 1
_USUAL_STEPS = 4
"""Of rows that stand for all, behind the resume and a step that warms up."""
_ACCUMULATED = 2
"""Micro-batches of a step: from the second one on gradients lie beside the next ones' activations.

More show nothing new and may take minutes; what they take is computed.
"""
_PACKED_TOGETHER = 4
"""Of so many of the longest rows there are enough to fill packed batches."""


def rehearse(plan: RunPlan, run: Path, *, events: EventLog, stop: StopRequest) -> None:
    """Rehearse `plan` and write what was seen as one `rehearsal` event."""
    scratch = RunFolder(run).rehearsal
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        _Rehearsal(plan, scratch, pulse=Pulse(RunFolder(run).pulse), stop=stop).carry_out(events)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class _Rehearsal:
    def __init__(self, plan: RunPlan, scratch: Path, *, pulse: Pulse, stop: StopRequest) -> None:
        self._plan, self._scratch = plan, scratch
        self._pulse, self._stop = pulse, stop
        self._silent = EventLog(Path(os.devnull))
        self._accumulated = _accumulated(plan)
        self._steps = self._clock()
        self._seconds: dict[str, float] = {}
        self._planned_steps = 0
        self._usual_tokens = 0.0
        self._held_out_batches = 0.0
        self._between_steps = 0.0

    def carry_out(self, events: EventLog) -> None:
        self._seconds["start"] = _seconds_since_start(events.path)
        events.append("phase", phase="rehearsing")
        self._train_evaluate_and_save()
        checkpoint = list_checkpoints(self._scratch)[0]
        checkpoint_bytes = folder_bytes(checkpoint)
        _give_back_memory()
        worst_seconds = self._steps.all[-1].seconds
        usual = self._resume_and_export(checkpoint)
        on_card = self._plan.hardware.device == "cuda"
        tell_memory(events)
        events.append(
            "rehearsal",
            message="steps, an evaluation, a save, a resume and the export went well",
            allocated_bytes=torch.cuda.max_memory_allocated() if on_card else None,
            reserved_bytes=torch.cuda.max_memory_reserved() if on_card else None,
            step_seconds=round(worst_seconds, 4),
            usual_step_seconds=round(usual.step.expected, 4),
            usual_step_seconds_low=round(usual.step.low, 4),
            usual_step_seconds_high=round(usual.step.high, 4),
            pauses_seconds=round(self._pauses(), 1),
            evaluation_seconds=round(self._seconds["evaluate"], 4),
            checkpoint_seconds=round(self._seconds["save"], 4),
            export_seconds=round(self._seconds["export"], 4),
            checkpoint_bytes=checkpoint_bytes,
            planned_steps=self._planned_steps,
        )

    def _pauses(self) -> float:
        """What all but the steps of the whole run will take, answers compared at its end left out.

        Libraries and weights come from the page cache by then, as they did for the resume here.
        """
        training, steps = self._plan.training, self._planned_steps
        every = training.evaluate_every_steps
        evaluations = 2 + ((steps - 1) // every if every else 0)
        checkpoints = ceil(steps / training.checkpoint_every_steps)
        return (
            self._seconds["start"]
            + self._seconds["load"]
            + steps * self._between_steps
            + evaluations * self._held_out_batches * self._seconds["evaluate"]
            + checkpoints * self._seconds["save"]
            + self._seconds["export"]
        )

    def _train_evaluate_and_save(self) -> None:
        trainer, measurements = self._parts(_STEPS, self._worst)
        trainer.add_callback(self._steps)
        with self._stop.noticed_by_loop():
            trainer.train()
        self._stop.check()
        # The trainer saves behind its last step.
        self._seconds["save"] = time.monotonic() - self._steps.ended
        self._timed("evaluate", lambda: measurements.evaluate("before"))

    def _resume_and_export(self, checkpoint: Path) -> RehearsedTime:
        steps = _STEPS + _WARM_UP_STEPS + _USUAL_STEPS
        started = time.monotonic()
        trainer, _ = self._parts(steps, self._usual)
        self._seconds["load"] = time.monotonic() - started
        usual = self._clock()
        trainer.add_callback(usual)
        with self._stop.noticed_by_loop():
            trainer.train(resume_from_checkpoint=str(checkpoint))
        self._stop.check()
        self._between_steps = usual.between_steps(_USUAL_STEPS)
        self._timed("export", lambda: save_result(trainer, self._scratch))
        return rehearsed_time(usual.all[-_USUAL_STEPS:], self._usual_tokens)

    def _parts(
        self, steps: int, pick: Callable[[Any], Any]
    ) -> tuple[SafeSaving, Measurements | ClassifierMeasurements]:
        training = replace(
            self._plan.training,
            max_steps=steps,
            accumulation_steps=self._accumulated,
            epochs=float(steps + 1),
            checkpoint_every_steps=_STEPS,
            # One evaluation is timed behind the steps; none between them, and no best of them.
            evaluate_every_steps=0,
            stop_after_evaluations=0,
            keep_best=False,
        )
        plan = replace(self._plan, training=training)
        context = Context(
            plan=plan,
            run=self._scratch,
            events=self._silent,
            stop=self._stop,
            pulse=self._pulse,
        )
        trainer, measurements, _ = parts_of(context, pick=pick)
        writer = CheckpointWriter(
            run=self._scratch, plan=plan, events=self._silent, progress=Progress()
        )
        trainer.add_callback(PulseEvents(self._pulse))
        trainer.add_callback(CheckpointEvents(writer))
        return trainer, measurements

    def _worst(self, rows: Any) -> Any:
        """The longest rows for every step, and one batch of the longest to measure on."""
        training = self._plan.training
        worst = _longest(rows.train, self._rows_of(_STEPS))
        self._planned_steps = _steps_of(self._plan, rows.train)
        held_out = _longest(rows.held_out, training.micro_batch_rows)
        if held_out:
            share = _mean_tokens(rows.held_out) / _mean_tokens(held_out)
            self._held_out_batches = share * len(rows.held_out) / training.micro_batch_rows
        return replace(rows, train=worst, held_out=held_out)

    def _usual(self, rows: Any) -> Any:
        """Rows of all lengths, as often as they come, for the steps behind the resume."""
        training = self._plan.training
        count = self._rows_of(_STEPS + _WARM_UP_STEPS + _USUAL_STEPS)
        usual = _spread(rows.train, count)
        in_step = training.micro_batch_rows * training.accumulation_steps
        units = _units(self._plan, rows.train)
        self._usual_tokens = sum(map(_tokens, rows.train)) * in_step / max(units, 1.0)
        return replace(rows, train=usual, held_out=rows.held_out[: training.micro_batch_rows])

    def _clock(self) -> StepSeconds:
        return StepSeconds(self._plan.training.accumulation_steps / self._accumulated)

    def _rows_of(self, steps: int) -> int:
        training = self._plan.training
        in_step = training.micro_batch_rows * self._accumulated
        # Packing fills each row of a batch with as many as fit.
        return in_step * steps * (_PACKED_TOGETHER if training.packing else 1)

    def _timed(self, name: str, act: Callable[[], object]) -> None:
        started = time.monotonic()
        act()
        self._stop.check()
        self._seconds[name] = time.monotonic() - started


def _accumulated(plan: RunPlan) -> int:
    steps = plan.training.accumulation_steps
    # The pictures of a whole step are on the device at once.
    return steps if plan.training.task == "image-classification" else min(steps, _ACCUMULATED)


def _units(plan: RunPlan, rows: Sequence[Any]) -> float:
    """Rows that the trainer goes through in a pass."""
    training = plan.training
    if not training.packing:
        return float(len(rows))
    packed = row_lengths(
        tuple(map(_tokens, rows)),
        micro_batch=1,
        longest=training.sequence_tokens,
        batching="packed",
        sees_all=False,
    )
    return len(rows) / packed.held


def _steps_of(plan: RunPlan, rows: Sequence[Any]) -> int:
    training = plan.training
    in_step = training.micro_batch_rows * training.accumulation_steps
    steps = max(1, ceil(ceil(_units(plan, rows) / in_step) * training.epochs))
    return steps if training.max_steps is None else min(steps, training.max_steps)


def _seconds_since_start(path: Path) -> float:
    """Since the supervisor started this worker: interpreter, libraries, the card's context."""
    told = [event["at"] for event in read_events(path) if event.get("phase") == "starting"]
    if not told:
        return 0.0
    passed = datetime.now(UTC) - datetime.fromisoformat(told[-1])
    return max(0.0, passed.total_seconds())


def _spread(rows: Sequence[Any], count: int) -> tuple[Any, ...]:
    """As many rows, evenly over their lengths."""
    ordered = sorted(rows, key=_tokens)
    if len(ordered) <= count:
        return tuple(ordered)
    return tuple(ordered[(2 * at + 1) * len(ordered) // (2 * count)] for at in range(count))


def _longest(rows: Sequence[Any], count: int) -> tuple[Any, ...]:
    return tuple(sorted(rows, key=_tokens, reverse=True)[:count])


def _mean_tokens(rows: Sequence[Any]) -> float:
    return sum(_tokens(row) for row in rows) / len(rows)


def _tokens(row: Any) -> int:
    return int(row.tokens) if hasattr(row, "tokens") else len(row.input_ids)


def _give_back_memory() -> None:
    """The first model must be gone before the second is loaded."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
