"""Loading, measuring and saving are moments like those of the step."""

from __future__ import annotations

from typing import Any

import pytest

from planner.memory.estimate import estimate_memory
from planner.memory.step import step_of
from planner.request import AdapterSettings
from tests.planner.samples import known_model, request_of, tiny_llama


def _phases(method: str, **changes: Any) -> dict[str, int]:
    step = step_of(known_model("llama-3.2-1b"), request_of(method, **changes))
    phases: dict[str, int] = {}
    for each in step.candidates:
        phases[each.phase] = max(each.total_bytes, phases.get(each.phase, 0))
    return phases


@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
def test_measuring_and_saving_are_candidates_and_need_less_than_training(method: str) -> None:
    """Nothing is kept for backward there, and there are no gradients."""
    phases = _phases(method)

    assert 0 < phases["evaluate"] < max(phases["loss"], phases["backward"])
    assert 0 < phases["save"] < max(phases.values())


def test_quantizing_a_model_while_it_is_loaded_can_be_the_peak() -> None:
    """A tensor of the file stands beside its packed form; adapters of rank 1 are smaller."""
    shape = tiny_llama(intermediate_size=65536, vocab_size=64)
    request = request_of(
        "qlora",
        sequence_tokens=1,
        micro_batch=1,
        optimizer="sgd",
        adapter=AdapterSettings(rank=1),
    )
    load = [each for each in step_of(shape, request).candidates if each.phase == "load"]
    estimate = estimate_memory(shape, request)

    assert load[0].temporaries_bytes > 2 * 256 * 65536 * 0.9
    assert estimate.parts.total_bytes == estimate.device.expected_bytes


@pytest.mark.parametrize("method", ["full", "lora"])
def test_weights_that_stay_as_the_file_has_them_need_nothing_more_to_load(method: str) -> None:
    """They are copied to where they stay."""
    assert "load" not in _phases(method)
