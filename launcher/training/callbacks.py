"""What happens at each training step: events, the stop request, divergence, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from transformers import (
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from launcher.errors import Diverged
from launcher.runs.events import EventLog
from launcher.training.progress import Progress
from launcher.training.pulse import Pulse
from launcher.training.saving import CheckpointWriter
from launcher.training.stopping import StopRequest
from planner.run_plan import RunPlan


class StepEvents(TrainerCallback):
    """Writes a step's events, judges its numbers, and ends the run when asked to."""

    def __init__(
        self,
        *,
        plan: RunPlan,
        events: EventLog,
        progress: Progress,
        stop: StopRequest,
        evaluate: Callable[[], bool],
    ) -> None:
        self._plan = plan
        self._events = events
        self._progress = progress
        self._stop = stop
        self._evaluate = evaluate
        self._tokens_before_attempt = progress.tokens
        self._step_started = time.monotonic()

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Start the step's clock."""
        self._step_started = time.monotonic()

    def on_log(
        self,
        args: TrainingArguments,  # noqa: ARG002  the names are the trainer's
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Take the numbers of the step that just ended; runs before anything is saved."""
        if logs is None or "loss" not in logs:
            return
        # Room may be made before the next save; until then a full disk costs a line, not the run.
        with suppress(OSError):
            self._write_step(state, logs)
            if self._plan.hardware.device == "cuda":
                self._write_memory(state.global_step)
        self._refuse_divergence(state.global_step, logs)
        every = self._plan.training.evaluate_every_steps
        if every and state.global_step % every == 0 and state.global_step < state.max_steps:
            # Whether it has gone on long enough without getting better.
            control.should_training_stop = self._evaluate()
        if self._stop.save_soon:
            self._stop.save_soon = False
            control.should_save = True
        if self._stop.requested:
            control.should_save = True
            control.should_training_stop = True

    def _write_step(self, state: TrainerState, logs: dict[str, float]) -> None:
        seconds = time.monotonic() - self._step_started
        tokens = self._tokens_before_attempt + int(logs["num_tokens"])
        trained = tokens - self._progress.tokens
        self._progress.tokens = tokens
        self._progress.seconds += seconds
        self._progress.loss_last = logs["loss"]
        if self._progress.loss_first is None:
            self._progress.loss_first = logs["loss"]
        self._events.append(
            "step",
            step=state.global_step,
            total_steps=state.max_steps,
            loss=logs["loss"],
            grad_norm=logs.get("grad_norm"),
            learning_rate=logs["learning_rate"],
            tokens=tokens,
            tokens_per_second=round(trained / seconds, 1),
            epoch=round(state.epoch or 0.0, 4),
            step_seconds=round(seconds, 4),
        )

    def _write_memory(self, step: int) -> None:
        self._events.append(
            "memory",
            step=step,
            allocated_bytes=torch.cuda.max_memory_allocated(),
            reserved_bytes=torch.cuda.max_memory_reserved(),
            allocated_now_bytes=torch.cuda.memory_allocated(),
        )

    def _refuse_divergence(self, step: int, logs: dict[str, float]) -> None:
        judged = ["loss"]
        # Under fp16 the loss scaler meets infinite gradients by design, and skips those steps.
        if self._plan.method.autocast != "fp16":
            judged.append("grad_norm")
        for name in judged:
            value = logs.get(name, 0.0)
            if not math.isfinite(value):
                raise Diverged(
                    f"training diverged at step {step}: {name} is {value}",
                    "lower learning_rate, for instance to a tenth, or raise warmup_fraction",
                )


class PulseEvents(TrainerCallback):
    """Says with every micro-batch that the worker gets on."""

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse

    def on_substep_end(self, *_: Any, **__: Any) -> None:
        """A micro-batch is done."""
        self._pulse.beat()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """A step is done."""
        self._pulse.beat()


class CheckpointEvents(TrainerCallback):
    """Publishes what the trainer has just written as a checkpoint."""

    def __init__(self, writer: CheckpointWriter) -> None:
        self._writer = writer

    def on_save(
        self,
        args: TrainingArguments,  # noqa: ARG002  the names are the trainer's
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **_: Any,
    ) -> None:
        """Runs when every file of a checkpoint is written."""
        self._writer.publish(state.global_step)
