"""The settings a person may change, as values: what each says now, and what a key makes of it.

A setting that is left alone is chosen by the planner; `None` in `Asked` means just that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, get_args

from launcher.errors import UsageError
from launcher.output.numbers import count_text
from launcher.wizard.draft import Draft
from planner.advice.rows import packs
from planner.advice.settings import (
    Asked,
    batch_choices,
    epochs_choice,
    learning_rate_choice,
)
from planner.loop import Loop
from planner.plan import MethodAnswer, Plan
from planner.request import Optimizer

_LENGTHS = (128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768)
_RANKS = (4, 8, 16, 32, 64, 128, 256)
_BATCHES = (1, 2, 4, 8, 16, 32, 64)
_ACCUMULATIONS = (1, 2, 4, 8, 16, 32, 64)
_EPOCHS = (0.5, 1.0, 2.0, 3.0, 5.0)
_RATES = (1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 3e-4, 5e-4)
_CHECKPOINTING = ("full", "none")
_OPTIMIZERS = tuple(name for name in get_args(Optimizer) if name != "adamw")
_ATTENTION_ONLY = ("q_proj", "v_proj")


class Setting(NamedTuple):
    """One line of a list of settings."""

    key: str
    """Field of `Asked` that it changes."""
    label: str
    value: str
    word: str
    """Entry of the glossary that explains it."""
    typed: bool = False
    """Whether a number can be typed."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What settings are shown for: the answer of the method at hand."""

    draft: Draft
    plan: Plan
    answer: MethodAnswer


def method_settings(at: Situation) -> tuple[Setting, ...]:
    """The settings of the Method step; those that the method has no use for are left out."""
    keys = ["sequence_tokens", "micro_batch", "accumulation", "checkpointing", "optimizer",
            "epochs", "learning_rate"]  # fmt: skip
    if at.answer.shape.image_tokens is not None:
        keys.remove("sequence_tokens")  # the model says what a picture becomes
    if at.answer.request.adapter is not None:
        keys = ["rank", "targets", *keys]
    return tuple(setting_of(key, at) for key in keys)


def setting_of(key: str, at: Situation) -> Setting:
    """A setting with its value as it stands."""
    label, word, typed, shown = _SETTINGS[key]
    return Setting(key, label, shown(value_of(key, at)), word, typed)


def value_of(key: str, at: Situation) -> Any:
    """What a setting is now: as asked, or as the planner chose it."""
    request = at.answer.request
    adapter = request.adapter
    values: dict[str, Any] = {
        "rank": adapter.rank if adapter else None,
        "targets": adapter.targets if adapter else None,
        "sequence_tokens": request.sequence_tokens,
        "micro_batch": request.micro_batch,
        "accumulation": request.accumulation,
        "checkpointing": request.checkpointing,
        "optimizer": request.optimizer,
        "packing": request.batching == "packed",
    }
    if key in ("epochs", "learning_rate"):
        return _of_loop(key, at)
    return values[key]


def _of_loop(key: str, at: Situation) -> float:
    """As the plan file will have it."""
    if at.plan.data is not None:
        loop = Loop(at.plan, at.answer)
        return float((loop.epochs if key == "epochs" else loop.learning_rate).value)
    asked = at.draft.asked
    if key == "epochs":
        micro, accumulation = batch_choices(asked)
        return float(epochs_choice(asked, 1, micro.value * accumulation.value).value)
    parameters = at.plan.model.shape.parameters
    return float(learning_rate_choice(asked, at.answer.method, parameters).value)


def with_step(key: str, direction: int, at: Situation) -> Draft:
    """The draft after the next or the previous value of a setting."""
    choices, now = _choices(key, at), value_of(key, at)
    if now in choices:
        index = choices.index(now) + direction
    else:
        above = [number for number, each in enumerate(choices) if each > now]
        first_above = above[0] if above else len(choices)
        index = first_above if direction > 0 else first_above - 1
    return _with(at, key, choices[max(0, min(index, len(choices) - 1))])


def with_typed(key: str, text: str, at: Situation) -> Draft:
    """The draft after a value was typed. Raises UsageError for what is no such value."""
    label = _SETTINGS[key][0].lower()
    number = text.strip().replace(" ", "")
    whole = key not in ("epochs", "learning_rate")
    try:
        value: float = int(number) if whole else float(number)
    except ValueError:
        kind = "a whole number" if whole else "a number"
        raise UsageError(f'{label} takes {kind}, not "{text}"') from None
    try:
        return _with(at, key, value)
    except (ValueError, OverflowError):
        raise UsageError(f"{label} must be above 0, not {text.strip()}") from None


def without_choice(key: str, draft: Draft) -> Draft:
    """The draft with a setting left to the planner again."""
    return replace(draft, asked=replace(draft.asked, **{key: None}))


def _with(at: Situation, key: str, value: Any) -> Draft:
    """A batch or checkpointing that is asked for ends the planner's search for the fastest.

    What it had found for the others then stays, so that one key changes one line.
    """
    asked: Asked = replace(at.draft.asked, **{key: value})
    request = at.answer.request
    if key in ("micro_batch", "accumulation") and asked.checkpointing is None:
        asked = replace(asked, checkpointing=request.checkpointing)
    if key in ("accumulation", "checkpointing") and asked.micro_batch is None:
        asked = replace(asked, micro_batch=request.micro_batch)
    if key in _OF_A_STEP and asked.packing is None:
        packed, grouped = (request.batching == each for each in ("packed", "grouped"))
        asked = replace(asked, packing=packed or None, group_by_length=grouped or None)
    return replace(at.draft, asked=asked)


_OF_A_STEP = ("micro_batch", "accumulation", "checkpointing")
"""What pins a step, so that how its rows are put together must be said too."""


def _choices(key: str, at: Situation) -> Sequence[Any]:
    if key == "targets":
        adapter = at.answer.request.adapter
        assert adapter is not None
        return _targets(at, adapter.targets)
    if key == "sequence_tokens":
        return lengths_for(at)
    return {
        "rank": _RANKS,
        "micro_batch": _BATCHES,
        "accumulation": _ACCUMULATIONS,
        "checkpointing": _CHECKPOINTING,
        "optimizer": _OPTIMIZERS,
        "epochs": _EPOCHS,
        "learning_rate": _RATES,
        "packing": (False, True) if packs(at.answer.shape) else (False,),
    }[key]


def lengths_for(at: Situation) -> tuple[int, ...]:
    """Lengths worth choosing: up to the model's context, and what the longest row needs."""
    limit = at.plan.model.shape.max_context_tokens or _LENGTHS[-1]
    chosen = replace(at.draft, asked=replace(at.draft.asked, sequence_tokens=None))
    facts = chosen.data.facts if chosen.data else None
    usual = min(2048, limit) if facts is None else min(limit, facts.longest_tokens)
    return tuple(sorted({*(each for each in _LENGTHS if each <= limit), usual}))


def _targets(at: Situation, now: tuple[str, ...]) -> list[tuple[str, ...]]:
    from planner.memory.adapted import usual_targets

    shape = at.plan.model.shape
    names = {linear.name.rpartition(".")[2] for linear in shape.linears}
    choices = [usual_targets(shape)]
    if names.issuperset(_ATTENTION_ONLY):
        choices.append(_ATTENTION_ONLY)
    return choices if now in choices else [*choices, now]


def _targets_text(targets: tuple[str, ...] | None) -> str:
    if targets == ("all-linear",):
        return "all linear"
    if targets == _ATTENTION_ONLY:
        return "q, v only"
    return f"{len(targets or ())} named"


def _rate_text(rate: float) -> str:
    return f"{rate:.1e}".replace(".0e", "e").replace("e-0", "e-")


def _optimizer_text(name: str) -> str:
    return _OPTIMIZER_WORDS.get(name, name)


_OPTIMIZER_WORDS = {
    "adamw-fused": "AdamW",
    "adamw-8bit": "AdamW 8 bit",
    "paged-adamw": "AdamW paged",
    "paged-adamw-8bit": "paged 8 bit",
    "adafactor": "Adafactor",
    "sgd": "SGD",
}

_SETTINGS: dict[str, tuple[str, str, bool, Callable[[Any], str]]] = {
    "rank": ("Rank", "rank", True, str),
    "targets": ("Layers", "targets", False, _targets_text),
    "sequence_tokens": ("Longest", "sequence-length", True, lambda n: f"{count_text(n)} tokens"),
    "micro_batch": ("Batch", "batch", True, lambda n: f"{n} row{'s' if n > 1 else ''}"),
    "accumulation": ("Accumulate", "accumulation", True, lambda n: f"x {n}"),
    "checkpointing": (
        "Checkpoint", "checkpointing", False,
        lambda kind: {"full": "activations", "none": "off"}.get(kind, kind),
    ),
    "optimizer": ("Optimizer", "optimizer", False, _optimizer_text),
    "epochs": ("Epochs", "epoch", True, lambda n: f"{n:g}"),
    "learning_rate": ("Rate", "learning-rate", True, _rate_text),
    "packing": ("Pack short ones", "packing", False, lambda packs: "yes" if packs else "no"),
}  # fmt: skip
"""Label, word, whether a number can be typed, and how a value is shown."""

__all__ = ["Setting", "Situation", "method_settings", "setting_of", "with_step"]
