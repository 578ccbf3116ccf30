"""Checkpoints and the result, each written beside, then put in place by one rename."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from peft import PeftModel

from launcher.runs.checkpoints import (
    folder_bytes,
    fsync,
    prune,
    publish,
    write_manifest,
    writing_folder,
)
from launcher.runs.disk import RESERVE_BYTES, require_free
from launcher.runs.events import EventLog
from launcher.training.model_card import write_model_card
from launcher.training.progress import Progress
from launcher.training.trainer import SafeSaving, refuse_broken_weights
from planner.run_plan import RunPlan

if TYPE_CHECKING:
    import torch

_TOKENIZER_BYTES = 4 << 20

ResultName = Literal["adapter", "model"]


class CheckpointWriter:
    """Turns what the trainer wrote into a published checkpoint of the run."""

    def __init__(self, *, run: Path, plan: RunPlan, events: EventLog, progress: Progress) -> None:
        self._run = run
        self._keep = plan.training.keep_checkpoints
        self._events = events
        self._progress = progress

    def publish(self, step: int) -> None:
        """Publish the checkpoint of `step` and remove the oldest ones."""
        written = writing_folder(self._run) / f"checkpoint-{step}"
        self._progress.save(written)
        open_to_others(written)
        checkpoint = publish(written, self._run, step)
        self._events.append(
            "checkpoint",
            step=step,
            path=str(checkpoint.relative_to(self._run)),
            bytes=folder_bytes(checkpoint),
        )
        prune(self._run, self._keep, best_step=self._progress.best_step)


def save_result(trainer: SafeSaving, run: Path) -> ResultName:
    """Write RUN/adapter or RUN/model: safetensors, config and the tokenizer as it came.

    Raises Diverged when a trained weight is not finite.
    """
    refuse_broken_weights(trainer.model)
    require_free(run, _result_bytes(trainer.model) + RESERVE_BYTES, "the result")
    name: ResultName = "adapter" if isinstance(trainer.model, PeftModel) else "model"
    written = writing_folder(run) / name
    if isinstance(trainer.model, PeftModel):
        trainer.model.save_pretrained(str(written), save_embedding_layers=False)
        write_model_card(trainer.model, written)
    else:
        if hasattr(trainer.model.config, "use_cache"):
            trainer.model.config.use_cache = True
        trainer.model.save_pretrained(str(written))
    trainer.own_processing.save_pretrained(str(written))
    open_to_others(written)
    write_manifest(written)
    target = run / name
    if target.exists():
        shutil.rmtree(target)
    written.rename(target)
    fsync(run)
    return name


def _result_bytes(model: torch.nn.Module) -> int:
    adapters = isinstance(model, PeftModel)
    saved = [each for each in model.parameters() if each.requires_grad or not adapters]
    return sum(each.numel() * each.element_size() for each in saved) + _TOKENIZER_BYTES


def open_to_others(folder: Path) -> None:
    """Give every file what the umask allows; safetensors writes for its owner alone."""
    umask = os.umask(0)
    os.umask(umask)
    for path in folder.rglob("*"):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~umask)
