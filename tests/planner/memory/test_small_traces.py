"""Settings that the stored grid leaves out, by formula against the traced step."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from launcher.tracing.trace import trace_request
from planner.case import request_of_case
from planner.memory.step import step_of
from tests.planner.samples import shape_of_config

_WIDE: dict[str, Any] = {
    "hidden_size": 512,
    "intermediate_size": 1536,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 8000,
}
_TIED = {"model_type": "llama", **_WIDE, "tie_word_embeddings": True}
_WINDOW = {**_WIDE, "sliding_window": 256}
_CASES: dict[str, dict[str, Any]] = {
    "tied, upper blocks": {
        "config": _TIED,
        "method": "full",
        "trainable_layers": 2,
        "checkpointing": "none",
    },
    "tied, upper blocks, offloaded": {
        "config": _TIED,
        "method": "full",
        "trainable_layers": 2,
        "checkpointing": "offloaded",
    },
    "offloaded": {"config": _TIED, "method": "full", "checkpointing": "offloaded"},
    "offloaded adapters": {"config": _TIED, "method": "lora", "checkpointing": "offloaded"},
    "tied, micro-batches added up": {
        "config": {**_TIED, "vocab_size": 24000},
        "method": "full",
        "accumulation": 2,
        "loss": "torch",
        "optimizer": "sgd",
        "sequence_tokens": 32,
    },
    "adafactor in fp32": {
        "config": _TIED,
        "method": "full",
        "weights": "fp32",
        "optimizer": "adafactor",
        "sequence_tokens": 64,
    },
    "window of every block": {
        "config": {"model_type": "mistral", **_WINDOW},
        "method": "lora",
        "checkpointing": "none",
    },
    "window of most blocks": {
        "config": {"model_type": "cohere2", **_WINDOW, "eos_token_id": 2},
        "method": "full",
        "checkpointing": "none",
    },
    "padded, partial rotary embedding": {
        "config": {"model_type": "phi3", **_WIDE, "pad_token_id": 0},
        "method": "full",
        "checkpointing": "none",
        "padded": True,
    },
    "padded, one head of keys in fp32": {
        "config": {"model_type": "gemma3_text", **_WIDE, "num_key_value_heads": 1, "head_dim": 256},
        "method": "qlora",
        "kbit_prepare": True,
        "padded": True,
    },
    "adapters over experts": {
        "config": {
            "model_type": "qwen3_moe",
            **_WIDE,
            "num_experts": 16,
            "num_experts_per_tok": 4,
            "moe_intermediate_size": 256,
            "head_dim": 64,
        },
        "method": "lora",
        "adapter": {"targets": "all-linear", "rank": 64},
        "optimizer": "adamw-8bit",
    },
    "fp16 weights under bf16": {
        "config": _TIED,
        "method": "lora",
        "weights": "fp16",
        "checkpointing": "none",
    },
    "k-bit without autocast": {
        "config": {"model_type": "cohere", **_WIDE, "eos_token_id": 2},
        "method": "qlora",
        "kbit_prepare": True,
        "autocast": None,
        "padded": True,
        "loss": "torch",
        "checkpointing": "none",
    },
    "keys shared unsaid, on a cpu": {
        "config": {"model_type": "falcon", **_WIDE, "multi_query": True},
        "method": "lora",
        "checkpointing": "none",
        "device": "cpu",
    },
    "chunked loss on a cpu": {
        "config": {**_TIED, "vocab_size": 40000},
        "method": "lora",
        "weights": "fp32",
        "autocast": None,
        "device": "cpu",
    },
    "window over one head of keys": {
        "config": {
            "model_type": "gemma3_text",
            **_WINDOW,
            "num_key_value_heads": 1,
            "head_dim": 64,
        },
        "method": "lora",
    },
}


@pytest.mark.parametrize("name", _CASES)
def test_the_formula_is_near_the_traced_step(name: str) -> None:
    """Within 1.5 % of allocated bytes: small models show what large ones hide."""
    case = {"micro_batch": 2, "sequence_tokens": 512, **_CASES[name]}
    request = request_of_case(case)

    traced = trace_request(case["config"], request).peak_bytes
    step = step_of(shape_of_config(case["config"]), request)

    rest = step.states.weights_bytes + step.states.adapters_bytes + step.states.optimizer_bytes
    assert rest + step.peak.total_bytes == pytest.approx(traced, rel=0.015)


def test_a_held_out_batch_keeps_and_drops_nothing() -> None:
    """Its peak is that of a traced evaluation, whatever training keeps."""
    case: dict[str, Any] = {"method": "lora", "micro_batch": 2, "sequence_tokens": 512}
    case |= {"checkpointing": "none"}
    case |= {"config": {**_TIED, "vocab_size": 1000}, "adapter": {"dropout": 0.1}, "loss": "torch"}
    request = request_of_case(case)

    traced = trace_request(case["config"], request).phases()["evaluate"]
    step = step_of(shape_of_config(case["config"]), request)

    rest = step.states.weights_bytes + step.states.adapters_bytes + step.states.optimizer_bytes
    totals = zip(step.candidates, step.totals, strict=True)
    most = max(total for each, total in totals if each.phase == "evaluate")
    assert rest + most == pytest.approx(traced, rel=0.03)


def test_rows_within_the_window_need_no_mask() -> None:
    """The mask comes with the row that is as long as the window."""
    shape = shape_of_config({"model_type": "mistral", **_WINDOW})
    open_end = shape_of_config({"model_type": "mistral", **_WIDE})

    for tokens, alike in ((255, True), (256, False)):
        request = request_of_case({"method": "lora", "micro_batch": 2, "sequence_tokens": tokens})
        with_window, without = (max(step_of(each, request).totals) for each in (shape, open_end))
        assert (with_window == without) is alike
