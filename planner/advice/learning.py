"""How fast and how long to learn: rates and passes by method, task and size, each with its reason.

Ranges are the field's own. Full fine-tuning: 2e-5 to 5e-5 and 2 to 4 passes in the BERT paper
(arXiv 1810.04805), 1e-5 to 2e-5 for models of billions (LIMA, arXiv 2305.11206). Adapters: 2e-4,
and 1e-4 from 33 B parameters on, in the QLoRA paper (arXiv 2305.14314). A head that starts from
random numbers can take ten times as much (ULMFiT, arXiv 1801.06146).
"""

from __future__ import annotations

from math import ceil
from typing import Any, Final, Literal, NamedTuple

from planner.request import Method, Task

_SMALL_MODEL = 1_000_000_000
_LARGE_MODEL = 7_000_000_000
_LARGE_FOR_ADAPTERS = 30_000_000_000
_HEAD_ALONE_RATE = 1e-3
_HEAD_FACTOR = 10.0
_LEAST_STEPS_TO_LEARN = 20
_MOST_PASSES = 5


AUTO: Final = "auto"
"""Leaves to the plan how many of the last layers are trained."""


class Learned(NamedTuple):
    """A value and why."""

    value: Any
    reason: str


def learning_rate(
    method: Method, *, task: Task, parameters: int | None = None, trained_layers: int | None = None
) -> Learned:
    """Step size: full 1e-5 to 5e-5, adapters 1e-4 to 3e-4, a head alone 1e-3.

    `parameters` are the model's, None when unknown; `trained_layers` is the N of --train-last.
    """
    if method == "full" and trained_layers == 0 and task != "causal-lm":
        return Learned(_HEAD_ALONE_RATE, "a head alone on frozen features takes 1e-3 to 1e-2")
    if method == "full":
        return _full_rate(task, parameters)
    if parameters is not None and parameters >= _LARGE_FOR_ADAPTERS:
        return Learned(1e-4, "adapters take 1e-4 to 3e-4, large models the lower end")
    if task != "causal-lm" or (parameters is not None and parameters < _SMALL_MODEL):
        return Learned(3e-4, "adapters take 1e-4 to 3e-4, small models the upper end")
    return Learned(2e-4, "adapters take 1e-4 to 3e-4")


def _full_rate(task: Task, parameters: int | None) -> Learned:
    if parameters is not None and parameters >= _LARGE_MODEL:
        return Learned(1e-5, "full fine-tuning takes 1e-5 to 5e-5, large models the lower end")
    if task != "causal-lm":
        return Learned(5e-5, "full fine-tuning takes 1e-5 to 5e-5, classifiers the upper end")
    return Learned(2e-5, "full fine-tuning takes 1e-5 to 5e-5")


def head_learning_rate(rate: float, *, task: Task) -> Learned:
    """Step size of a new classification head; None where no head is new."""
    if task == "causal-lm":
        return Learned(None, "the head is the model's own")
    value = max(rate, min(_HEAD_ALONE_RATE, _HEAD_FACTOR * rate))
    return Learned(float(f"{value:.3g}"), "the new head starts from random numbers")


def passes(rows: int, *, task: Task, rows_a_step: int) -> Learned:
    """Passes over the data, 1 to 5: fewer rows, more passes, until there are steps to learn in."""
    if task == "causal-lm":
        usual = 3 if rows < 1000 else 2 if rows < 10_000 else 1
        why = f"{rows} rows; more passes would repeat them by heart"
    else:
        usual = 5 if rows < 1000 else 3 if rows < 10_000 else 2 if rows < 100_000 else 1
        why = f"{rows} rows; the best checkpoint is kept, so a pass too many does no harm"
    needed = ceil(_LEAST_STEPS_TO_LEARN * rows_a_step / max(rows, 1))
    if usual < needed:
        more = min(needed, _MOST_PASSES)
        if more > usual:
            return Learned(float(more), f"{rows} rows make few steps a pass")
    return Learned(float(usual), why)


def trained_last(
    layers: int, *, rows: int | None, task: Task, largest_that_fits: int | None = None
) -> Learned:
    """How many of the last layers to train when the lower ones stay frozen.

    A third of them is what keeps most of a full fine-tune's quality on encoders; few rows
    cannot feed that many. A language model's head alone has no new words to learn, so at least
    one layer is trained there. `largest_that_fits` caps it by memory, None when that is unknown.
    """
    least = 1 if task == "causal-lm" else 0
    if rows is not None and rows < 100 and not least:
        wanted, why = 0, f"{rows} rows are enough for the head alone"
    elif rows is not None and rows < 1000:
        wanted, why = max(1, layers // 6), f"{rows} rows cannot feed more layers"
    else:
        wanted, why = max(1, layers // 3), "the last third holds what is special to a task"
    if largest_that_fits is not None and largest_that_fits < wanted:
        return Learned(max(least, largest_that_fits), "more layers do not fit")
    return Learned(wanted, why)


def layers_asked(
    asked: int | Literal["auto"] | None, layers: int, *, rows: int | None, task: Task
) -> int | None:
    """The N of --train-last; where the plan is to choose it, by the rows alone."""
    return int(trained_last(layers, rows=rows, task=task).value) if asked == AUTO else asked
