"""Whatever a case combines, it is answered, in order, and its parts add up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner.case_answer import answer_case
from tests.planner.samples import known_model

_MODELS = ("llama-3.2-1b", "gemma-2-2b", "phi-3-mini", "mixtral-8x7b", "gpt2", "falcon-7b")

_STEPS = st.fixed_dictionaries(
    {
        "micro_batch": st.sampled_from((1, 5)),
        "sequence_tokens": st.sampled_from((16, 3000)),
        "accumulation": st.sampled_from((1, 4)),
        "checkpointing": st.sampled_from(("none", "full", "offloaded")),
        "attention": st.sampled_from(("sdpa", "flash2", "eager")),
        "loss": st.sampled_from(("torch", "chunked", "liger", "triton")),
        "stack": st.sampled_from(("transformers", "litgpt", "torchtune", "unsloth")),
        "gpus": st.sampled_from((1, 4)),
        "sharding": st.sampled_from(("none", "ddp", "fsdp", "zero2", "zero3")),
        "optimizer": st.sampled_from(("adamw", "adamw-8bit", "paged-adamw", "adafactor")),
        "autocast": st.sampled_from((None, "bf16")),
        "allocator": st.sampled_from(("classic", "expandable")),
        "lengths": st.sampled_from((None, [9, 2500, 700, 1800])),
    }
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(_MODELS), st.sampled_from(("full", "lora", "qlora")), _STEPS)
def test_every_combination_is_answered(model: str, method: str, step: dict[str, Any]):
    """Bands hold their expected value and the parts are the device bytes."""
    shape = known_model(model)
    answer = answer_case({"method": method, **step}, lambda _case: shape, lambda _gpu: None)
    memory = answer["memory"]

    for counter in ("allocated_bytes", "reserved_bytes", "needed_bytes", "device_bytes"):
        band = memory[counter]
        assert 0 < band["low"] <= band["expected"] <= band["high"]
    assert min(memory["parts"].values()) >= 0
    assert sum(memory["parts"].values()) == memory["device_bytes"]["expected"]


@pytest.mark.parametrize("loss", ["liger", "triton"])
def test_fused_adapters_leave_fused_matrices_to_their_own_layers(loss: str):
    """The patched kernel is for separate queries, keys and values."""
    case = {"method": "qlora", "micro_batch": 1, "sequence_tokens": 64, "loss": loss}

    assert answer_case(case, lambda _case: known_model("phi-3-mini"), lambda _gpu: None)
