"""Classifiers by formula against the traced step of the real classes."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from launcher.tracing.trace import trace_request
from planner.case import request_of_case
from planner.memory.classifying import for_task
from planner.memory.step import step_of
from tests.planner.samples import shape_of_config

_WIDE: dict[str, Any] = {
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
}
_TEXT = {**_WIDE, "vocab_size": 8000, "max_position_embeddings": 512}
_IMAGE = {**_WIDE, "image_size": 112, "patch_size": 8}
_CONFIGS: dict[str, dict[str, Any]] = {
    "bert": _TEXT,
    "roberta": _TEXT,
    "deberta-v2": {
        **_TEXT,
        "relative_attention": True,
        "position_buckets": 64,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pos_att_type": "p2c|c2p",
        "position_biased_input": False,
        "type_vocab_size": 0,
    },
    "modernbert": {**_TEXT, "intermediate_size": 1024, "pad_token_id": 0},
    "llama": {**_TEXT, "num_key_value_heads": 4},
    "vit": _IMAGE,
    "dinov2": {**_IMAGE, "mlp_ratio": 4},
}
_VARIANTS: dict[str, dict[str, Any]] = {
    "full": {"method": "full", "checkpointing": "none"},
    "full-fp32": {"method": "full", "weights": "fp32", "autocast": None},
    "full-cpu": {"method": "full", "weights": "fp32", "autocast": None, "device": "cpu"},
    "lora": {"method": "lora"},
    "lora-plain": {"method": "lora", "checkpointing": "none"},
}
_RARER: dict[str, dict[str, Any]] = {
    "head": {"method": "full", "trainable_layers": 0, "checkpointing": "none"},
    "head-checkpointed": {"method": "full", "trainable_layers": 0},
    "lora-eager": {"method": "lora", "checkpointing": "none", "attention": "eager"},
}
_ROUGHER = {("modernbert", "lora"): 0.03, ("modernbert", "lora-plain"): 0.03}
"""Known to be further off: 1.0 and 1.6 % for the real shape of modernbert-base, more here."""


_FEW = {"deberta-v2": ("full-fp32", "lora-plain")}
"""The other variants are in the stored grid."""
_PAIRS = [
    (family, variant) for family in _CONFIGS for variant in _FEW.get(family, tuple(_VARIANTS))
]
_PAIRS += [("bert", "head"), ("bert", "lora-eager"), ("vit", "head-checkpointed")]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("family", "variant"), _PAIRS)
def test_the_formula_is_within_two_percent_of_the_traced_step(family: str, variant: str) -> None:
    """Dropout, layer scale, distances, the embeddings' norm and the head's copy included."""
    config = {"model_type": family, **_CONFIGS[family]}
    image = family in ("vit", "dinov2")
    case = {
        "config": config,
        "task": "image-classification" if image else "text-classification",
        # Within ModernBERT's window, beyond which its local layers take a mask.
        "micro_batch": 32,
        "sequence_tokens": 128,
        **{**_VARIANTS, **_RARER}[variant],
    }
    request = request_of_case(case)
    step = step_of(*for_task(shape_of_config(config), request))
    states = step.states
    formula_bytes = (
        states.weights_bytes
        + states.adapters_bytes
        + states.optimizer_bytes
        + step.peak.total_bytes
    )

    traced_bytes = trace_request(config, request).peak_bytes
    share = _ROUGHER.get((family, variant), 0.02)

    assert formula_bytes == pytest.approx(traced_bytes, rel=share)
