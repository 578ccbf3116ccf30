"""Shapes of the models in the measured runs, those that hwdb has no row for written out."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import hwdb
from planner.shape import ModelShape, shape_of


def _llama(
    hidden: int, layers: int, heads: int, kv_heads: int, inner: int, vocabulary: int, **other: Any
) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "intermediate_size": inner,
        "vocab_size": vocabulary,
        **other,
    }


def _plain(
    hidden: int, layers: int, heads: int, kv_heads: int, inner: int, vocabulary: int, **other: Any
) -> dict[str, Any]:
    """LayerNorm and one GELU product, tied, without rotation unless `rotates`."""
    return {
        **_llama(hidden, layers, heads, kv_heads, inner, vocabulary),
        "model_type": "starcoder2",
        "hidden_act": "gelu",
        "tie_word_embeddings": True,
        **other,
    }


_MPT = {
    "125m": (768, 12, 12),
    "350m": (1024, 24, 16),
    "1b": (2048, 24, 16),
    "3b": (2560, 32, 20),
    "7b": (4096, 32, 32),
    "13b": (5120, 40, 40),
    "30b": (7168, 48, 56),
    "70b": (8192, 80, 64),
}

_CONFIGS: dict[str, dict[str, Any]] = {
    "Llama-3.2-3B": _llama(3072, 28, 24, 8, 8192, 128256, head_dim=128, tie_word_embeddings=True),
    "Llama-2-7b-hf": _llama(4096, 32, 32, 32, 11008, 32000),
    "Llama-2-13b-hf": _llama(5120, 40, 40, 40, 13824, 32000),
    "Llama-2-70b-hf": _llama(8192, 80, 64, 8, 28672, 32000),
    "Meta-Llama-3-8B": _llama(4096, 32, 32, 8, 14336, 128256),
    "Mistral-7B-v0.1": _llama(4096, 32, 32, 8, 14336, 32000),
    "PowerLM-3b": _llama(2304, 40, 36, 36, 9216, 49152, tie_word_embeddings=True),
    "Qwen-1_8B": _llama(2048, 24, 16, 16, 5504, 151936),
    "Qwen-7B": _llama(4096, 32, 32, 32, 11008, 151936),
    "Qwen-14B": _llama(5120, 40, 40, 40, 13696, 152064),
    "Qwen-72B-Chat-Int4": _llama(8192, 80, 64, 64, 24576, 152064),
    "gpt_bigcode-santacoder": _plain(2048, 24, 16, 1, 8192, 49280),
    "bert-large-uncased": {
        "model_type": "bert",
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "vocab_size": 30522,
        "architectures": ["BertForSequenceClassification"],
    },
    **{f"mpt-{name}": _plain(h, n, a, a, 4 * h, 50432) for name, (h, n, a) in _MPT.items()},
}
_SAME = {
    "Llama-3.2-3B-Instruct": "Llama-3.2-3B",
    "Mistral-7B-v0.1-GPTQ": "Mistral-7B-v0.1",
    "Mistral-7B-v0.2": "Mistral-7B-v0.1",
    "Mistral-7B-v0.2 base": "Mistral-7B-v0.1",
    "Qwen-1_8B-Chat": "Qwen-1_8B",
    "Qwen-7B-Chat": "Qwen-7B",
    "Qwen-7B-Chat-Int4": "Qwen-7B",
}


@cache
def shape_named(name: str) -> ModelShape | None:
    """The shape of a model of the measured runs, None when it is not among them."""
    config = _CONFIGS.get(_SAME.get(name, name))
    if config is None:
        return None
    family = hwdb.find_family(config["model_type"])
    stand_in = hwdb.find_family("llama")
    assert family is not None
    assert stand_in is not None
    shape = shape_of(config, family, stand_in)
    if config["model_type"] != "starcoder2":
        return shape
    # MPT and santacoder rotate nothing.
    still = family._replace(model_type="mpt")
    return replace(shape, family=still, model_type="mpt")
