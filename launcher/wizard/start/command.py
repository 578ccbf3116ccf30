"""The same without the wizard: the command that makes this very plan."""

from __future__ import annotations

import shlex
from dataclasses import fields

from launcher.wizard.draft import Draft, applicable

_OPTIONS = {
    "method": "--method",
    "train_last": "--train-last",
    "task": "--task",
    "rank": "--rank",
    "targets": "--targets",
    "sequence_tokens": "--seq",
    "micro_batch": "--batch",
    "accumulation": "--accumulate",
    "optimizer": "--optimizer",
    "weights": "--weights",
    "checkpointing": "--checkpointing",
    "attention": "--attention",
    "loss": "--loss",
    "packing": "--packing",
    "epochs": "--epochs",
    "max_steps": "--max-steps",
    "learning_rate": "--learning-rate",
    "seed": "--seed",
}


def command_words(draft: Draft) -> list[str]:
    """Words of the command: launch on this machine, plan for a card that is not here."""
    words = ["tlplan"]
    if draft.data is not None:
        words.append("plan" if draft.simulated else "launch")
    if draft.model is not None:
        words += ["--model", draft.model.argument]
    if draft.gpu_argument is not None:
        words += ["--gpu", draft.gpu_argument]
    if draft.data is not None:
        words += ["--data", draft.data.argument]
    asked = applicable(draft)
    for field in fields(asked):
        value = getattr(asked, field.name)
        if value is not None:
            words += [_OPTIONS[field.name], _text(value)]
    if draft.data is not None and draft.simulated:
        words += ["--output", "plan.yaml"]
    return words


def command_text(draft: Draft) -> str:
    """One line for a shell."""
    line = shlex.join(command_words(draft))
    if draft.visible_device is not None:
        return f"CUDA_VISIBLE_DEVICES={draft.visible_device} {line}"
    return line


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
