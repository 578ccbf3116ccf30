"""Experts that are modules of their own, run one after the other, each on the rows routed to it.

Transformers had them so until version 5 (MixtralSparseMoeBlock and its likes, 4.45 and 4.57): their
linears are packed by a quantizer and carry adapters like any other linear, which the
three-dimensional parameters since then do not.
"""

from __future__ import annotations

from dataclasses import replace

from hwdb.family import Experts, Linear
from planner.memory.experts import INDEX_BYTES, picked, share_among_all
from planner.memory.feed_forward import mlp
from planner.memory.layers import TOKENS, Value
from planner.memory.library import Library
from planner.memory.size import Size
from planner.memory.tape import Tensor
from planner.request import TrainingRequest
from planner.shape import ModelShape

_FUSED_SINCE = (5, 0)
_WRITTEN = 8
"""Experts on the tape. Of more, several are written as one, whose rows are those of all of them."""
_ROWS = Size.of("Y") * TOKENS
"""Rows of one written expert."""
_EXPERT = "experts."


def as_modules(shape: ModelShape, request: TrainingRequest) -> ModelShape:
    """The shape with the linears of its experts, where the request's version has them."""
    experts = shape.family.experts
    if experts is None or not are_modules(experts, request):
        return shape
    router = experts.router._replace(role="other")
    each = [
        line._replace(name=f"{_EXPERT}{number}.{line.name}", role="other")
        for number in range(shape.sizes["E"])
        for line in experts.modules
    ]
    return replace(
        shape,
        family=shape.family._replace(experts=experts._replace(looped=True)),
        linears=(*shape.linears, router, *each),
        linear_parameters=shape.linear_parameters + shape.expert_parameters,
        expert_parameters=0,
        tensors=shape.tensors + shape.layers * (len(each) - len(experts.linears)),
    )


def are_modules(experts: Experts, request: TrainingRequest) -> bool:
    """Whether each expert is a module in the request's version of Transformers."""
    version = request.transformers_version
    return bool(experts.modules) and version is not None and version < _FUSED_SINCE


def rows_of_one(shape: ModelShape) -> float:
    """Rows that a written expert has for every token of the batch, all being routed to alike."""
    return shape.experts_per_token / min(shape.sizes.get("E", 1), _WRITTEN)


def target_names(linears: tuple[Linear, ...]) -> list[str]:
    """What adapters may be put on; all experts have the same names."""
    names = (
        line.name.rsplit(".", 1)[-1] if line.name.startswith(_EXPERT) else line.name
        for line in linears
    )
    return list(dict.fromkeys(names))


def looped_mixture(library: Library, normed: Value, experts: Experts, number: int) -> Value:
    """What the `number` experts make of it, one after the other."""
    tape = library.tape
    weights = _router(library, normed, experts)
    elements = Size.of("h") * TOKENS
    made = Value(tape.run("experts.zeros", [], elements * normed.bytes), elements, normed.bytes)
    # One number for each expert, token and choice, as one_hot makes them.
    mask = tape.run("experts.mask", [], Size.of("EX") * TOKENS * INDEX_BYTES)
    held: list[Tensor] = []
    for place in range(min(number, _WRITTEN)):
        rows = picked(library, normed, _ROWS * Size.of("h"), "experts.pick", rows=_ROWS)
        tape.keep(*held)  # the loop's variables are let go of when they are set again
        out = _expert(library, rows, experts, place)
        mine = picked(library, weights, _ROWS, "experts.pick_weights", rows=_ROWS)
        weighed = library.multiply(out, mine, "experts.weigh")
        entering = library.cast(weighed, normed.bytes, "experts.back")
        # index_add looks at what was added once more, for its shape.
        added = [entering.tensor]
        total = tape.add_into("experts.add", made.tensor, entering.tensor, saves=added)
        made = Value(total, elements, normed.bytes)
        held = [rows.tensor, weighed.tensor]
    tape.keep(normed.tensor, weights.tensor, mask, *held)
    return made


def _expert(library: Library, rows: Value, experts: Experts, place: int) -> Value:
    gate, up, down = (
        line._replace(name=f"{_EXPERT}{place}.{line.name}") for line in experts.modules
    )
    library.rows, usual = _ROWS, library.rows
    out = mlp(library, rows, [gate, up], down, gated=True)
    library.rows = usual
    return out


def _router(library: Library, normed: Value, experts: Experts) -> Value:
    """The weights of a token's experts: a softmax over all in fp32, the largest, cast back."""
    logits = library.linear(normed, experts.router)
    return library.cast(share_among_all(library, logits), normed.bytes, "router.cast")
