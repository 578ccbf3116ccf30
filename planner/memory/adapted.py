"""Which linears carry adapters, and how many parameters those have."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from planner.block_counts import Matrix
from planner.request import TrainingRequest
from planner.shape import ModelShape

HEAD_NAME = "lm_head"
"""The output layer, which all-linear leaves out and some name as a target."""


EXPERTS = "experts"
"""Among the names of adapted linears: the experts are adapted as well."""


class ExpertAdapter(NamedTuple):
    """The two matrices that PEFT lays over all experts of a block at once."""

    ranks: int
    """How many times the rank they are wide: each expert has its own, gate and up one each."""
    inputs: int
    outputs: int


def expert_adapters(shape: ModelShape, targets: tuple[str, ...]) -> tuple[ExpertAdapter, ...]:
    """What "all-linear" adapts beside the linears of a block: its experts and their router.

    Where experts were modules before Transformers 5, PEFT adapts the three-dimensional parameters
    they are now in their place (peft/utils/transformers_weight_conversion.py).
    """
    experts = shape.family.experts
    if experts is None or not experts.modules or not shape.expert_parameters:
        return ()
    if targets != ("all-linear",):
        return ()
    hidden, width, number = shape.hidden_size, shape.sizes["e"], shape.sizes["E"]
    return (
        ExpertAdapter(2 * number, hidden, 2 * width),
        ExpertAdapter(number, width, hidden),
        ExpertAdapter(1, hidden, number),
    )


def usual_targets(shape: ModelShape) -> tuple[str, ...]:
    """The linears that a launch gives adapters where none are named.

    Under "all-linear" each expert of a mixture gets its own, about a billion parameters in a 30B
    model; so there the other linears are named.
    """
    if shape.expert_parameters:
        return tuple(line.name for line in shape.linears)
    return ("all-linear",)


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
    for ranks, inputs, outputs in expert_adapters(shape, request.adapter.targets):
        per_block += ranks * request.adapter.rank * (inputs + outputs)
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
    names = _reached(tuple(line.name for line in shape.linears), targets)
    return names | {EXPERTS} if expert_adapters(shape, targets) else names


@lru_cache(maxsize=512)
def _reached(names: tuple[str, ...], targets: tuple[str, ...]) -> frozenset[str]:
    if targets == ("all-linear",):
        return frozenset(names)
    return frozenset(
        name
        for name in names
        if any(name == target or name.endswith(f".{target}") for target in targets)
    )
