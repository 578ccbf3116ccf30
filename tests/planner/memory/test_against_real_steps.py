"""The formula against what real training steps keep alive on the CPU."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from planner.memory.estimate import estimate_memory
from planner.memory.step import step_of
from planner.request import AdapterSettings, TrainingRequest
from tests.planner.samples import TINY_LLAMA, request_of, shape_of_config

pytest.importorskip("trl")
# PEFT and TRL ask transformers by names that are on their way out.
pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

_ROUNDING = 0.02


def _request(method: str, **changes: Any) -> TrainingRequest:
    usual = {"device": "cpu", "autocast": None, "loss": "torch", "weights": "fp32"}
    adapter = None if method == "full" else AdapterSettings(rank=8)
    return request_of(method, **{"adapter": adapter, **usual, **changes})


_CASES: dict[str, tuple[dict[str, Any], TrainingRequest]] = {
    f"{method} {weights} checkpointing {checkpointing}": (
        {"vocab_size": 4000},
        _request(method, weights=weights, checkpointing=checkpointing),
    )
    for method, weights, checkpointing in product(
        ("full", "lora"), ("fp32", "bf16"), ("none", "full")
    )
}
_CASES |= {
    "large vocabulary": ({"vocab_size": 32_000, "num_hidden_layers": 2}, _request("lora")),
    "every head its own keys": ({"num_key_value_heads": 4}, _request("lora")),
    "tied embeddings, short rows": (
        {"vocab_size": 32_000, "tie_word_embeddings": True},
        _request("full", micro_batch=1, sequence_tokens=64),
    ),
    "foreach optimizer": (
        {"vocab_size": 8000},
        _request("full", weights="bf16", optimizer="adamw", micro_batch=1, sequence_tokens=64),
    ),
    "two targets": (
        {"vocab_size": 4000},
        _request("lora", adapter=AdapterSettings(rank=8, targets=("q_proj", "v_proj"))),
    ),
    "16-bit adapters": (
        {},
        _request("lora", weights="bf16", adapter=AdapterSettings(rank=8, dtype="bf16")),
    ),
    "eager attention": (
        {},
        _request("lora", weights="bf16", attention="eager", checkpointing="none"),
    ),
    "accumulated adapters": ({}, _request("lora", accumulation=3)),
}


@pytest.mark.parametrize("case", _CASES)
def test_the_peak_is_that_of_a_real_step(case: str) -> None:
    """Allocated bytes are within 2 % of the peak of the second real step."""
    changes, request = _CASES[case]
    config = {**TINY_LLAMA, **changes}
    shape = shape_of_config(config)

    real = _measured(config, request)

    estimated = estimate_memory(shape, request)
    _phase, peak = real.peak
    assert estimated.trained_parameters == real.trained_parameters
    assert estimated.allocated.expected_bytes == pytest.approx(peak.bytes, rel=_ROUNDING)
    assert estimated.rest_allocated_bytes == pytest.approx(real.rest_bytes, rel=0.005)
    beyond_states = peak.bytes - real.rest_bytes
    assert step_of(shape, request).peak.total_bytes == pytest.approx(beyond_states, rel=0.025)


def _measured(config: dict[str, Any], request: TrainingRequest) -> Any:
    import torch

    from tests.planner.memory.real_step import real_step

    torch.set_num_threads(1)
    return real_step(config, request)
