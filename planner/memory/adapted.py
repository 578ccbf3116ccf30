"""Which linears carry adapters, and how many parameters those have."""

from __future__ import annotations

from functools import lru_cache

from planner.block_counts import Matrix
from planner.request import TrainingRequest
from planner.shape import ModelShape

HEAD_NAME = "lm_head"
"""The output layer, which all-linear leaves out and some name as a target."""


def adapter_parameters(shape: ModelShape, request: TrainingRequest) -> int:
    """Trained parameters of the adapters of all blocks: rank x (inputs + outputs) each."""
    if request.adapter is None:
        return 0
    names = adapted_linears(shape, request.adapter.targets)
    per_block = 0
    for name, inputs, outputs in shape.matrices:
        if name in names:
            per_block += request.adapter.rank * (inputs + outputs)
            per_block += outputs if request.adapter.kind == "dora" else 0
    head = 0
    if HEAD_NAME in request.adapter.targets:
        head = request.adapter.rank * (shape.hidden_size + shape.vocabulary_size)
    for _, inputs, outputs in _adapted_of_head(shape, request.adapter.targets):
        head += request.adapter.rank * (inputs + outputs)
        head += outputs if request.adapter.kind == "dora" else 0
    return shape.stored_layers * per_block + head + shape.trained_with_adapters


def _adapted_of_head(shape: ModelShape, targets: tuple[str, ...]) -> list[Matrix]:
    names = _reached(tuple(each.name for each in shape.head_matrices), targets)
    return [each for each in shape.head_matrices if each.name in names]


def adapted_linears(shape: ModelShape, targets: tuple[str, ...]) -> frozenset[str]:
    """Names of the linears of a block that `targets` reach, as PEFT matches them: by suffix."""
    return _reached(tuple(line.name for line in shape.linears), targets)


@lru_cache(maxsize=512)
def _reached(names: tuple[str, ...], targets: tuple[str, ...]) -> frozenset[str]:
    if targets == ("all-linear",):
        return frozenset(names)
    return frozenset(
        name
        for name in names
        if any(name == target or name.endswith(f".{target}") for target in targets)
    )
