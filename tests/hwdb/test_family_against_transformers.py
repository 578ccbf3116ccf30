"""Families say of each architecture what the installed transformers builds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hwdb import count_from_config, families
from hwdb.symbols import extent, holds, sizes_of

if TYPE_CHECKING:
    from hwdb.family import Family

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

# Every width differs from every other, so that a wrong symbol cannot give the right number.
_SIZES = {
    "hidden_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "intermediate_size": 112,
    "vocab_size": 1000,
    "max_position_embeddings": 77,
    "num_experts": 5,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 56,
}
_TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "num_labels": 7}

_VARIANTS: dict[str, list[dict[str, object]]] = {
    "llama": [{"attention_bias": True}, {"mlp_bias": True}, {"tie_word_embeddings": True}],
    "qwen3": [{"attention_bias": True, "head_dim": 20}],
    "gemma": [{"head_dim": 20}],
    "phi": [{"qk_layernorm": True}],
    "falcon": [
        {"new_decoder_architecture": True},
        {"multi_query": False, "num_kv_heads": None, "parallel_attn": False, "bias": True},
    ],
    "gpt_neox": [{"attention_bias": False}],
    "stablelm": [{"use_qkv_bias": True, "qk_layernorm": True}, {"use_parallel_residual": True}],
    "cohere": [{"use_qk_norm": True}],
    "glm4": [{"attention_bias": False}],
    "opt": [{"word_embed_proj_dim": 48}, {"enable_bias": False}, {"do_layer_norm_before": False}],
    "starcoder2": [{"use_bias": False}],
    "electra": [{"embedding_size": 48}, {"embedding_size": 96}],
    "deberta-v2": [
        {"relative_attention": True, "position_buckets": 8, "norm_rel_ebd": "layer_norm"},
        {"relative_attention": True, "share_att_key": True, "type_vocab_size": 3},
    ],
    "modernbert": [{"attention_bias": True, "mlp_bias": True}],
    "t5": [{"feed_forward_proj": "gated-gelu", "is_gated_act": True}],
    "vit": [{"qkv_bias": False, "image_size": 64}],
    "dinov2": [{"use_swiglu_ffn": True}, {"use_mask_token": False}],
}


def _cases() -> list[tuple[str, str, dict[str, object]]]:
    return [
        (family.model_type, architecture, variant)
        for family in families().values()
        for architecture in family.architectures
        for variant in ({}, *_VARIANTS.get(family.model_type, ()))
    ]


def _config(family: Family, variant: dict[str, object]) -> dict[str, object]:
    sizes = {
        names[0]: value
        for key, value in _SIZES.items()
        if (names := family.config_keys.get(key, (key,)))
    }
    defaults: dict[str, object] = {
        key: value
        for key, value in family.config_defaults.items()
        if isinstance(value, bool) or key == "type_vocab_size"
    }
    if family.model_type == "deberta-v2":
        defaults["pos_att_type"] = ["c2p", "p2c"]
    return {**defaults, **sizes, **_TOKENS, **variant}


def _build(family: Family, architecture: str, config: dict[str, object]) -> Any:
    built_config = transformers.AutoConfig.for_model(family.model_type, **config)
    with torch.device("meta"):
        model = getattr(transformers, architecture)(built_config)
    model.tie_weights()
    return model


@pytest.mark.parametrize(("model_type", "architecture", "variant"), _cases())
def test_counts_what_transformers_builds(
    model_type: str, architecture: str, variant: dict[str, object]
) -> None:
    """The count from the family equals the unique parameters of the real class."""
    family = families()[model_type]
    config = _config(family, variant)

    model = _build(family, architecture, config)

    assert count_from_config(config, family, architecture=architecture) == sum(
        parameter.numel() for parameter in model.parameters()
    )


@pytest.mark.parametrize("model_type", families())
def test_names_the_linears_of_a_block(model_type: str) -> None:
    """Each linear of a block exists under its name with its widths, and no other does."""
    family = families()[model_type]
    config = _config(family, {})
    sizes = sizes_of(config, family)
    expected = {
        linear.name: (extent(linear.inputs, sizes), extent(linear.outputs, sizes))
        for linear in family.linears
        if holds(linear.when, config, family)
    }

    built = _build(family, family.architectures[0], config)

    assert set(_block_linears(built, expected)) == set(expected.items())


def _block_linears(
    model: Any, names: dict[str, tuple[int, int]]
) -> list[tuple[str, tuple[int, int]]]:
    found = []
    for path, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if not _is_in_first_block(path) or weight is None or weight.ndim != 2:
            continue
        if isinstance(module, torch.nn.Embedding) or "Router" in type(module).__name__:
            continue
        widths = tuple(weight.shape)
        if type(module).__name__ != "Conv1D":
            widths = widths[::-1]
        found.append((_longest_known_suffix(path, names), widths))
    return found


def _is_in_first_block(path: str) -> bool:
    return next((part for part in path.split(".") if part.isdigit()), None) == "0"


def _longest_known_suffix(path: str, names: dict[str, tuple[int, int]]) -> str:
    path = path.replace(".block.0.", ".")
    matching = [name for name in names if f".{path}".endswith(f".{name}")]
    return max(matching, key=len, default=path)
