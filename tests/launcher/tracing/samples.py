"""Small models and cases that the tests of tracing share."""

from __future__ import annotations

from typing import Any

_COMMON: dict[str, Any] = {
    "hidden_size": 256,
    "intermediate_size": 704,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 2000,
}
_FULL_HEADS = {**_COMMON, "num_key_value_heads": 4}

CONFIGS: dict[str, dict[str, Any]] = {
    "llama": {"model_type": "llama", **_COMMON},
    "qwen3": {"model_type": "qwen3", **_COMMON, "head_dim": 64, "tie_word_embeddings": True},
    "gemma3_text": {"model_type": "gemma3_text", **_COMMON, "head_dim": 64},
    "gpt2": {"model_type": "gpt2", "n_embd": 256, "n_layer": 4, "n_head": 4, "vocab_size": 2000},
    "phi": {"model_type": "phi", **_FULL_HEADS},
    "gpt_neox": {"model_type": "gpt_neox", **_FULL_HEADS, "num_key_value_heads": None},
    "bert": {"model_type": "bert", **_FULL_HEADS, "num_labels": 5},
    "vit": {"model_type": "vit", **_FULL_HEADS, "vocab_size": None, "image_size": 96},
    "qwen3_moe": {
        "model_type": "qwen3_moe", **_COMMON, "head_dim": 64, "num_experts": 4,
        "num_experts_per_tok": 2, "moe_intermediate_size": 128,
    },
}  # fmt: skip


def config(family: str, **changes: Any) -> dict[str, Any]:
    """A small config of a family."""
    values = {**CONFIGS[family], **changes}
    return {key: value for key, value in values.items() if value is not None}


def case(family: str = "llama", **changes: Any) -> dict[str, Any]:
    """A case of `tlplan estimate`: LoRA on a small model unless changed."""
    return {
        "config": config(family),
        "method": "lora",
        "micro_batch": 2,
        "sequence_tokens": 128,
        **changes,
    }
