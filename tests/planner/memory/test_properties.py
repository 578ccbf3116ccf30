"""What holds for every family: what is frozen is not trained, order does not matter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import hwdb
from bench.formula_grid import FAMILIES, VARIANTS, grid_cases
from planner.case import request_of_case
from planner.memory.estimate import estimate_memory
from planner.request import AdapterSettings
from planner.shape import ModelShape
from tests.planner.samples import request_of, shape_of_config

_CASES = [case for _, _, case in grid_cases(FAMILIES, VARIANTS)]
_SHAPES: dict[str, ModelShape] = {
    case["config"]["model_type"]: shape_of_config(case["config"]) for case in _CASES
}
_calm = settings(max_examples=100, deadline=None, derandomize=True, database=None)
_FAMILIES = st.sampled_from(sorted(FAMILIES))


@_calm
@given(st.sampled_from(_CASES))
def test_parts_add_up_to_the_byte(case: dict[str, Any]) -> None:
    """In every family and with every option, where the bytes go is all of the bytes."""
    memory = estimate_memory(_SHAPES[case["config"]["model_type"]], request_of_case(case))

    assert memory.parts.total_bytes == memory.device.expected_bytes
    assert all(part >= 0 for part in memory.parts)


@_calm
@given(_FAMILIES, st.integers(0, 8))
def test_frozen_blocks_are_not_trained(family: str, layers: int) -> None:
    """With trainable_layers, exactly those blocks and the head are counted."""
    shape = _SHAPES[family]
    head = shape.vocabulary_size * shape.hidden_size

    memory = estimate_memory(shape, request_of("full", trainable_layers=layers))

    trained = min(layers, shape.layers) * shape.block_parameters
    assert memory.trained_parameters == trained + head
    assert memory.parts.gradients_bytes <= 2 * memory.trained_parameters


@_calm
@given(_FAMILIES, st.sampled_from(("lora", "qlora")), st.integers(1, 64))
def test_a_frozen_base_is_never_counted_as_trained(family: str, method: str, rank: int) -> None:
    """Adapters alone have gradients and moments, whatever they are attached to."""
    shape = _SHAPES[family]
    row = hwdb.families()[family]
    targets = tuple(line.name for line in row.linears if line.role.startswith("attention"))
    adapter = AdapterSettings(rank=rank, targets=targets)

    memory = estimate_memory(shape, request_of(method, adapter=adapter))

    assert memory.trained_parameters * 4 == memory.parts.adapters_bytes
    assert memory.parts.gradients_bytes <= memory.parts.adapters_bytes


@_calm
@given(st.permutations(("q_proj", "v_proj", "up_proj")), st.permutations((40, 300, 700)))
def test_the_order_of_equal_inputs_changes_nothing(targets: list[str], lengths: list[int]) -> None:
    """Targets and lengths are sets of things; the answer does not depend on their order."""
    usual = request_of(lengths=(40, 300, 700))
    adapter = AdapterSettings(targets=tuple(targets))

    one, other = (
        estimate_memory(_SHAPES["llama"], replace(usual, adapter=settings_, lengths=order))
        for settings_, order in (
            (AdapterSettings(targets=("q_proj", "v_proj", "up_proj")), usual.lengths),
            (adapter, tuple(lengths)),
        )
    )

    assert one == other


@_calm
@given(st.sampled_from(_CASES))
def test_checkpoints_never_need_more_in_any_family(case: dict[str, Any]) -> None:
    """Computing activations again never keeps more than keeping them."""
    shape, request = _SHAPES[case["config"]["model_type"]], request_of_case(case)

    kept, again = (
        estimate_memory(shape, replace(request, checkpointing=how)).allocated.expected_bytes  # type: ignore[arg-type]
        for how in ("none", "full")
    )

    assert again <= kept


@_calm
@given(
    st.sampled_from(_CASES),
    st.sampled_from(["micro_batch", "sequence_tokens", "rank"]),
    st.integers(1, 3000),
)
def test_more_of_anything_never_needs_less(case: dict[str, Any], field: str, more: int) -> None:
    """Rows, tokens and rank only add, in every counter, family and with every option."""
    shape, request = _SHAPES[case["config"]["model_type"]], request_of_case(case)
    if field != "rank":
        larger = replace(request, **{field: getattr(request, field) + more})
    elif request.adapter is None:
        return
    else:
        widest = max(shape.hidden_size, shape.sizes.get("i", 0))
        rank = min(request.adapter.rank + more, widest)
        larger = replace(request, adapter=replace(request.adapter, rank=rank))

    before, after = estimate_memory(shape, request), estimate_memory(shape, larger)

    for counter in ("allocated", "reserved", "needed", "device"):
        assert getattr(after, counter).expected_bytes >= getattr(before, counter).expected_bytes


@_calm
@given(st.sampled_from(_CASES), st.integers(1, 64), st.integers(1, 8192))
def test_a_step_that_was_written_already_answers_as_a_fresh_one(
    case: dict[str, Any], rows: int, length: int
) -> None:
    """An answer does not depend on the batch that was asked about first."""
    request = replace(request_of_case(case), micro_batch=rows, sequence_tokens=length)
    fresh = shape_of_config(case["config"])

    known = estimate_memory(_SHAPES[case["config"]["model_type"]], request)

    assert known == estimate_memory(fresh, request)
