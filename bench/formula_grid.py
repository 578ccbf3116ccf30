"""The grid on which the formula is compared with the traced step: families times variants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import hwdb

_GQA = {
    "hidden_size": 1536, "intermediate_size": 4096, "num_hidden_layers": 10,
    "num_attention_heads": 12, "num_key_value_heads": 4, "vocab_size": 48000,
}  # fmt: skip
_MHA = {
    "hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 10,
    "num_attention_heads": 20, "num_key_value_heads": 20, "vocab_size": 50304,
}  # fmt: skip
_EXPERTS = {
    "hidden_size": 1024, "num_hidden_layers": 8, "num_attention_heads": 16,
    "num_key_value_heads": 4, "vocab_size": 48000,
}  # fmt: skip

FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {**_GQA, "tie_word_embeddings": False},
    "mistral": {**_GQA, "sliding_window": None},
    "qwen2": {**_GQA, "tie_word_embeddings": True},
    "qwen3": {**_GQA, "head_dim": 128, "tie_word_embeddings": True},
    "gemma2": {**_GQA, "head_dim": 256, "attention": "eager"},
    "gemma3_text": {**_GQA, "head_dim": 256},
    "phi3": {**_GQA, "pad_token_id": 0},
    "granite": {**_GQA, "tie_word_embeddings": True},
    "olmo2": {**_GQA},
    "smollm3": {**_GQA, "pad_token_id": 0},
    "gpt2": {"n_embd": 1280, "n_layer": 10, "n_head": 20, "vocab_size": 50257, "n_positions": 2048},
    "gpt_neox": {**_MHA, "num_key_value_heads": None},
    "phi": {**_MHA},
    "falcon": {**_MHA, "num_key_value_heads": None, "multi_query": True},
    "stablelm": {**_MHA, "num_key_value_heads": 4},
    "mixtral": {**_EXPERTS, "intermediate_size": 2048, "num_local_experts": 8},
    "qwen3_moe": {
        **_EXPERTS, "head_dim": 128, "intermediate_size": 2048, "moe_intermediate_size": 512,
        "num_experts": 16, "num_experts_per_tok": 4,
    },
    "gpt_oss": {
        **_EXPERTS, "head_dim": 64, "intermediate_size": 1024, "num_local_experts": 8,
        "num_experts_per_tok": 4, "attention": "eager",
    },
    "granitemoe": {
        **_EXPERTS, "intermediate_size": 512, "num_local_experts": 16, "num_experts_per_tok": 4,
        "tie_word_embeddings": True,
    },
    "olmoe": {
        **_EXPERTS, "intermediate_size": 512, "num_experts": 16, "num_experts_per_tok": 4,
        "eos_token_id": 2,
    },
    "olmo": {**_GQA, "eos_token_id": 2},
    "olmo3": {**_GQA, "eos_token_id": 2},
    "gemma": {**_GQA, "head_dim": 256},
    "cohere": {**_GQA, "eos_token_id": 2},
    "cohere2": {**_GQA, "eos_token_id": 2},
    "glm4": {**_GQA, "head_dim": 128, "pad_token_id": 0},
    "opt": {
        "hidden_size": 1280, "ffn_dim": 5120, "num_hidden_layers": 10, "num_attention_heads": 20,
        "vocab_size": 50304, "word_embed_proj_dim": 1280, "max_position_embeddings": 2048,
    },
    "starcoder2": {**_GQA, "bos_token_id": 1, "eos_token_id": 2},
    "bloom": {"hidden_size": 1280, "n_layer": 10, "n_head": 20, "vocab_size": 50304},
}  # fmt: skip

CLASSIFIERS: dict[str, dict[str, Any]] = {
    "deberta-v2": {
        "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 8,
        "num_attention_heads": 16, "vocab_size": 48000, "relative_attention": True,
        "position_buckets": 256, "norm_rel_ebd": "layer_norm", "share_att_key": True,
        "pos_att_type": "p2c|c2p", "position_biased_input": False, "type_vocab_size": 0,
        "task": "text-classification",
    },
}  # fmt: skip

_FULL = {"method": "full", "micro_batch": 2, "sequence_tokens": 1024}
_LORA = {"method": "lora", "micro_batch": 2, "sequence_tokens": 1024}
_QLORA = {"method": "qlora", "micro_batch": 2, "sequence_tokens": 1024}
_BF16 = {"adapter": {"dtype": "bf16"}}
_FP32 = {"adapter": {"dtype": "fp32"}}
_PLAIN = {"checkpointing": "none"}
_TORCH = {"loss": "torch"}

VARIANTS: dict[str, dict[str, Any]] = {
    "full": _FULL,
    "full-torch": {**_FULL, **_TORCH},
    "full-plain": {**_FULL, **_PLAIN, "micro_batch": 4},
    "full-plain-torch-foreach": {**_FULL, **_PLAIN, **_TORCH, "optimizer": "adamw"},
    "full-no-autocast": {**_FULL, "autocast": None, "optimizer": "adamw"},
    "full-no-autocast-plain": {**_FULL, **_PLAIN, "autocast": None, "optimizer": "sgd"},
    "full-fp32": {**_FULL, "weights": "fp32", **_TORCH},
    "full-fp32-plain": {**_FULL, "weights": "fp32", **_PLAIN},
    "full-8bit": {**_FULL, "optimizer": "adamw-8bit", "micro_batch": 8},
    "full-adafactor": {**_FULL, "optimizer": "adafactor"},
    "full-in-backward": {**_FULL, "optimizer": "adamw-in-backward"},
    "full-last-3": {**_FULL, "trainable_layers": 3},
    "lora": {**_LORA, **_FP32},
    "lora-torch": {**_LORA, **_FP32, **_TORCH},
    "lora-plain": {**_LORA, **_FP32, **_PLAIN},
    "lora-plain-torch": {**_LORA, **_FP32, **_PLAIN, **_TORCH},
    "lora-bf16": {**_LORA, **_BF16},
    "lora-no-autocast": {**_LORA, **_FP32, "autocast": None},
    "lora-bf16-no-autocast-plain": {**_LORA, **_BF16, **_PLAIN, "autocast": None},
    "lora-dropout": {**_LORA, "adapter": {"dropout": 0.05}},
    "lora-dropout-plain": {**_LORA, "adapter": {"dropout": 0.05}, **_PLAIN},
    "lora-attention-only": {**_LORA, "adapter": {"targets": "attention"}},
    "lora-attention-only-dropout-plain": {
        **_LORA, "adapter": {"targets": "attention", "dropout": 0.1}, **_PLAIN,
    },
    "lora-eager-plain": {**_LORA, **_PLAIN, "attention": "eager"},
    "lora-padded-plain": {**_LORA, **_PLAIN, "padded": True},
    "lora-fp32-weights": {**_LORA, "weights": "fp32"},
    "qlora": {**_QLORA, **_BF16},
    "qlora-plain-torch": {**_QLORA, **_BF16, **_PLAIN, **_TORCH},
    "qlora-fp32-adapters": {**_QLORA, **_FP32},
    "qlora-kbit": {**_QLORA, **_FP32, "kbit_prepare": True},
    "qlora-nf4": {**_QLORA, **_BF16, "weights": "nf4", "micro_batch": 8},
    "dora": {**_LORA, "adapter": {"kind": "dora", "dtype": "fp32"}},
    "dora-plain": {**_LORA, "adapter": {"kind": "dora", "dtype": "fp32"}, **_PLAIN},
    "dora-bf16": {**_LORA, "adapter": {"kind": "dora", "dtype": "bf16"}},
    "dora-dropout-plain": {**_LORA, "adapter": {"kind": "dora", "dropout": 0.05}, **_PLAIN},
    "dora-qlora": {**_QLORA, "adapter": {"kind": "dora", "dtype": "bf16"}},
    "dora-qlora-plain": {**_QLORA, "adapter": {"kind": "dora", "dtype": "fp32"}, **_PLAIN},
    "int8": {**_QLORA, "weights": "int8"},
    "int8-plain": {**_QLORA, "weights": "int8", **_PLAIN},
}  # fmt: skip
"""Cases, the config left out. "attention" as a target stands for the family's first projection
into attention and the one out of it."""

_BRIEFLY = frozenset(
    (
        *("granitemoe", "olmoe", "olmo", "olmo3", "gemma", "cohere", "cohere2", "glm4", "opt"),
        *("starcoder2", "bloom", "deberta-v2"),
    )
)
"""Families made of parts that others are compared on at length."""
_BRIEF = frozenset(("full-plain", "lora", "lora-plain", "qlora-plain-torch"))

_SAMPLED = frozenset(("llama", "qwen3", "gpt2"))
"""Families for options that change linears alone, whatever the block is."""
_OF_LINEARS = ("dora", "int8")


def _is_compared(family: str, variant: str) -> bool:
    if family in _BRIEFLY:
        return variant in _BRIEF
    return family in _SAMPLED or not variant.startswith(_OF_LINEARS)


def grid_cases(
    families: Sequence[str], variants: Sequence[str]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(family, variant, case) of the pairs that are compared."""
    for family in families:
        row = FAMILIES.get(family) or CLASSIFIERS[family]
        config = {key: value for key, value in row.items() if value is not None}
        said = {key: config.pop(key) for key in ("attention", "task") if key in config}
        for name in (each for each in variants if _is_compared(family, each)):
            case = {**VARIANTS[name], "config": {"model_type": family, **config}, **said}
            if case["method"] != "full":
                case["adapter"] = _with_targets(case, family)
            yield family, name, case


def _with_targets(case: Mapping[str, Any], family: str) -> dict[str, Any]:
    """Adapters, on attention only where "all-linear" would reach fused experts."""
    adapter = dict(case.get("adapter") or {})
    row = hwdb.families()[family]
    entering = [line.name for line in row.linears if line.role == "attention_in"]
    leaving = [line.name for line in row.linears if line.role == "attention_out"]
    if adapter.get("targets") == "attention":
        adapter["targets"] = [entering[0], *leaving]
    elif row.experts is not None:
        adapter["targets"] = [*entering, *leaving]
    return adapter
