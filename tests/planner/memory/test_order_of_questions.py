"""Whatever was asked for before, an answer is the same."""

from __future__ import annotations

import pytest

from planner.memory import known_blocks
from planner.memory.estimate import estimate_memory
from planner.request import AdapterSettings, TrainingRequest
from tests.planner.samples import request_of, shape_of_config, tiny_llama


def test_a_model_without_biases_asked_for_before_changes_no_answer() -> None:
    """DoRA takes the bias of its linear off first: two Llamas that differ in nothing else."""
    request = request_of(
        adapter=AdapterSettings(kind="dora"), checkpointing="none", optimizer="sgd"
    )

    def told(order: list[bool]) -> dict[bool, int]:
        known_blocks._passes.clear()
        shapes = {biased: tiny_llama(attention_bias=biased) for biased in order}
        return {
            biased: estimate_memory(shapes[biased], request).allocated.expected_bytes
            for biased in order
        }

    assert told([False, True]) == told([True, False])
    assert told([False, True])[True] > told([False, True])[False]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_batch_of_one_row_asked_for_before_changes_no_answer(attention: str) -> None:
    """Bloom writes its scores whatever is asked for, and copies its heads for several rows."""
    config = {"model_type": "bloom", "hidden_size": 1024, "n_layer": 10, "n_head": 16}
    request = request_of(sequence_tokens=1024, checkpointing="none", attention=attention)
    one, two = (request.with_batch(micro_batch=rows) for rows in (1, 2))

    def told(order: list[TrainingRequest]) -> dict[int, int]:
        shape = shape_of_config({**config, "vocab_size": 1000})
        known_blocks._passes.clear()
        return {
            each.micro_batch: estimate_memory(shape, each).allocated.expected_bytes
            for each in order
        }

    assert told([one, two]) == told([two, one])


def test_blocks_forgotten_after_many_others_change_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A long list has more kinds of blocks than are kept: those are written again."""
    requests = [
        request_of(checkpointing=each, attention=how)
        for each in ("none", "full")
        for how in ("sdpa", "eager")
    ]

    def told() -> list[int]:
        shape = tiny_llama()
        return [estimate_memory(shape, each).allocated.expected_bytes for each in requests * 2]

    known = told()
    known_blocks._passes.clear()
    monkeypatch.setattr(known_blocks, "_MOST_PASSES", 1)

    assert told() == known
    assert len(known_blocks._passes) == 1
