"""What a model is with the head of a task: its parameters, and those trained beside adapters."""

from __future__ import annotations

from typing import NamedTuple

from hwdb.family import Family
from hwdb.parameter_count import count_final_norms, count_from_config, count_head
from hwdb.symbols import Config, extent, holds, sizes_of
from planner.block_counts import Matrix

_ARCHITECTURE_ENDS = {
    "text-classification": "ForSequenceClassification",
    "image-classification": "ForImageClassification",
}

_TRAINED_WITH_ADAPTERS = ("classifier", "score", "pre_classifier")
"""What PEFT trains as a copy beside the adapters of a classifier: what ends in SEQ_CLS_HEAD_NAMES.
"""


class TaskHead(NamedTuple):
    """A model with the head of one task."""

    model_parameters: int
    head_parameters: int
    """With the norm behind the last block."""
    trained_with_adapters: int
    """Parameters of the head that are trained, as a copy, beside adapters."""
    matrices: tuple[Matrix, ...]
    """Linears that a quantizer packs and adapters are laid over, as over those of blocks."""


def task_heads(config: Config, family: Family) -> dict[str, TaskHead]:
    """The heads this family has beside the one that predicts tokens, by task."""
    found = {}
    for task, end in _ARCHITECTURE_ENDS.items():
        architecture = next((name for name in family.heads if name.endswith(end)), None)
        if architecture is not None:
            found[task] = TaskHead(
                model_parameters=count_from_config(config, family, architecture=architecture),
                head_parameters=count_head(config, family, architecture)
                + count_final_norms(config, family),
                trained_with_adapters=count_head(
                    config, family, architecture, named=_TRAINED_WITH_ADAPTERS
                ),
                matrices=_matrices(config, family, architecture),
            )
    return found


def _matrices(config: Config, family: Family, architecture: str) -> tuple[Matrix, ...]:
    sizes = sizes_of(config, family)
    return tuple(
        Matrix(each.name, extent(each.columns, sizes), extent(each.rows, sizes))
        for each in family.heads[architecture]
        if not each.name.startswith(_TRAINED_WITH_ADAPTERS)
        and each.rows != "1"
        and not each.name.endswith("norm")
        and holds(each.when, config, family)
    )
