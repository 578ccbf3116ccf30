"""What a model is with the head of a task: its parameters, and those trained beside adapters."""

from __future__ import annotations

from typing import NamedTuple

from hwdb.family import Family
from hwdb.parameter_count import count_from_config, count_head
from hwdb.symbols import Config

_ARCHITECTURE_ENDS = {
    "text-classification": "ForSequenceClassification",
    "image-classification": "ForImageClassification",
}

_TRAINED_WITH_ADAPTERS = ("classifier", "score")
"""What PEFT trains as a copy beside the adapters of a classifier (SEQ_CLS_HEAD_NAMES)."""


class TaskHead(NamedTuple):
    """A model with the head of one task."""

    model_parameters: int
    head_parameters: int
    trained_with_adapters: int
    """Parameters of the head that are trained, as a copy, beside adapters."""


def task_heads(config: Config, family: Family) -> dict[str, TaskHead]:
    """The heads this family has beside the one that predicts tokens, by task."""
    found = {}
    for task, end in _ARCHITECTURE_ENDS.items():
        architecture = next((name for name in family.heads if name.endswith(end)), None)
        if architecture is not None:
            found[task] = TaskHead(
                model_parameters=count_from_config(config, family, architecture=architecture),
                head_parameters=count_head(config, family, architecture),
                trained_with_adapters=count_head(
                    config, family, architecture, named=_TRAINED_WITH_ADAPTERS
                ),
            )
    return found
