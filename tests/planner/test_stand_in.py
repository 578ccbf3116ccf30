"""A model whose family nobody described has a shape all the same, and a wide interval."""

from __future__ import annotations

import json
from typing import Any

import pytest

import hwdb
from launcher.models import shape_of_config, shape_of_row
from planner.doubt import doubt_of
from planner.memory.estimate import estimate_memory
from planner.shape import ShapeError
from planner.stand_in import stand_in_shape
from tests.planner.samples import request_of

_FAMILIES = hwdb.families()
_GPTJ = {"model_type": "gptj", "n_embd": 256, "n_layer": 4, "n_head": 8, "vocab_size": 1000}
_EXPERTS = {
    **_GPTJ,
    "model_type": "new_moe",
    "n_routed_experts": 8,
    "moe_intermediate_size": 128,
}


def test_other_names_of_the_same_numbers_are_understood() -> None:
    """GPT-J says n_embd where Llama says hidden_size, and leaves out a width of 4 times that."""
    shape = stand_in_shape(_GPTJ, _FAMILIES)

    assert (shape.hidden_size, shape.layers, shape.sizes["i"]) == (256, 4, 1024)
    assert shape.model_type == "gptj"
    assert not shape.recognized


def test_only_some_activations_come_with_a_gate() -> None:
    """GPT-J's GELU stands alone between two matrices, SiLU multiplies a third one's product."""
    names = [
        {line.name for line in stand_in_shape({**_GPTJ, **more}, _FAMILIES).linears}
        for more in ({}, {"hidden_act": "silu"}, {"hidden_act": "relu2"})
    ]

    assert [len(each) for each in names] == [6, 7, 6]


def test_experts_are_counted() -> None:
    """Three matrices an expert, in every block."""
    with_experts, without = stand_in_shape(_EXPERTS, _FAMILIES), stand_in_shape(_GPTJ, _FAMILIES)

    assert with_experts.expert_parameters == 8 * 3 * 256 * 128
    assert with_experts.parameters > without.parameters


@pytest.mark.parametrize("config", [_GPTJ, _EXPERTS])
def test_a_published_number_of_parameters_is_met(config: dict[str, Any]) -> None:
    """What Llama's block does not have is there all the same, and weighs in every method."""
    shape = stand_in_shape(config, _FAMILIES, parameters=100_000_000)
    weights = estimate_memory(shape, request_of("full")).parts.weights_bytes

    assert shape.parameters == pytest.approx(100_000_000, rel=0.001)
    assert weights == pytest.approx(200_000_000, rel=0.001)


def test_a_width_that_differs_from_layer_to_layer_counts_as_the_largest() -> None:
    """Gemma 3n lists one MLP width a layer."""
    text = '{"model_type": "new", "hidden_size": 64, "num_hidden_layers": 2, '
    text += '"num_attention_heads": 4, "intermediate_size": [128, 256], "vocab_size": 100}'

    assert shape_of_config(text, "config.json").sizes["i"] == 256


@pytest.mark.parametrize("missing", ["n_embd", "n_layer", "vocab_size"])
def test_what_no_model_can_do_without_is_named(missing: str) -> None:
    """Width, depth and vocabulary decide everything."""
    config = {name: value for name, value in _GPTJ.items() if name != missing}

    with pytest.raises(ShapeError):
        stand_in_shape(config, _FAMILIES)


@pytest.mark.parametrize(
    "row",
    [
        row
        for row in hwdb.all_models()
        if row.task == "causal-lm" and hwdb.find_family(row.architecture) is None
    ],
    ids=lambda row: row.id,
)
def test_every_decoder_of_hwdb_is_answered(row: hwdb.Model) -> None:
    """None is refused; the interval of what nobody described is 20 to 35 % wide."""
    shape = shape_of_row(row)
    band = estimate_memory(shape, request_of("lora")).allocated

    assert shape.parameters >= 0.99 * row.parameters
    assert band.low_bytes < 0.85 * band.expected_bytes
    assert band.high_bytes > 1.3 * band.expected_bytes


def test_keys_nobody_shares_are_one_a_head() -> None:
    """GPT-J's config does not say how many heads keys have: as many as queries."""
    shape = stand_in_shape(_GPTJ, _FAMILIES)

    assert shape.sizes["k"] == shape.sizes["q"]


def test_layers_without_experts_have_none() -> None:
    """DeepSeek's first layers and every second one of Jamba have an MLP."""
    every, first = ({"expert_layer_period": 2}, {"first_k_dense_replace": 1})
    whole = stand_in_shape(_EXPERTS, _FAMILIES).expert_parameters

    assert stand_in_shape({**_EXPERTS, **every}, _FAMILIES).expert_parameters == whole // 2
    assert stand_in_shape({**_EXPERTS, **first}, _FAMILIES).expert_parameters == whole * 3 // 4


_PLAIN = {
    "model_type": "new",
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_hidden_layers": 4,
    "intermediate_size": 256,
    "vocab_size": 100,
}


@pytest.mark.parametrize(
    "more",
    [
        {"layer_types": ["linear_attention", "full_attention"] * 2},
        {"layers_block_type": ["mamba", "hybrid"] * 2},
        {"block_types": ["recurrent", "attention"]},
        {"mamba_d_state": 16},
        {"H_cycles": 2, "L_cycles": 3},
    ],
    ids=lambda more: next(iter(more)),
)
def test_a_model_little_like_a_llama_is_nearly_a_guess(more: dict[str, Any]) -> None:
    """Blocks that carry states, or that are run again and again: Zamba, RecurrentGemma, HRM."""
    said = [doubt_of(stand_in_shape({**_PLAIN, **each}, _FAMILIES)) for each in ({}, more)]

    assert ["guess" in str(each) for each in said] == [False, True]


def test_layers_that_are_only_listed_are_counted() -> None:
    """Nemotron-H says what each of its layers is, and not how many there are."""
    listed = {"layers_block_type": ["mamba", "mlp", "moe"], "num_hidden_layers": None}

    assert stand_in_shape({**_PLAIN, **listed}, _FAMILIES).layers == 3


@pytest.mark.parametrize(
    ("more", "width"),
    [
        ({"model_type": "recurrent_gemma"}, 128),
        ({"block_auto_adjust_ff_dim": True, "block_multiple_of": 128}, 256),
        ({"block_auto_adjust_ff_dim": True, "block_ffn_dim_multiplier": 0.5}, 85),
    ],
)
def test_an_mlp_has_the_width_its_code_makes_of_the_config(
    more: dict[str, Any], width: int
) -> None:
    """RecurrentGemma halves the number, LFM2 takes two thirds of it, rounded up."""
    assert stand_in_shape({**_PLAIN, **more}, _FAMILIES).sizes["i"] == width


def test_experts_that_are_switched_off_or_rows_of_a_table_weigh_little() -> None:
    """Doge names 16 384 experts of a row each, and says whether it has them at all."""
    doge = {**_PLAIN, "num_experts": 16_384}
    without = stand_in_shape({**doge, "is_moe": False}, _FAMILIES)
    of_rows = stand_in_shape({**doge, "is_moe": True}, _FAMILIES)

    assert without.expert_parameters == 0
    assert of_rows.expert_parameters == 3 * 16_384 * 64


def test_an_audio_tower_lies_beside_the_text_part_too() -> None:
    """Whisper's encoder as transformers counts it, and one matrix to the text's width."""
    audio = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2}
    audio |= {"num_mel_bins": 80, "max_source_positions": 100}
    config = {"model_type": "new", "text_config": _PLAIN, "audio_config": audio}
    block = 4 * 64 * 65 + 2 * 64 * 256 + 256 + 64 + 4 * 64

    shape = shape_of_config(json.dumps(config), "config.json")

    assert shape.idle_parameters == 2 * block + 3 * (80 + 64) * 64 + 100 * 64 + 64 * 64


def test_what_knows_no_attention_says_little() -> None:
    """Mamba's config names states and no heads; the interval reaches from a third to nearly two."""
    mamba = {"model_type": "mamba", "state_size": 16, "hidden_size": 64, "num_hidden_layers": 2}
    shape = stand_in_shape({**mamba, "vocab_size": 100}, _FAMILIES)
    band = estimate_memory(shape, request_of("full")).allocated

    assert not shape.alike
    assert band.low_bytes < band.expected_bytes / 3
    assert band.high_bytes > 1.7 * band.expected_bytes


_VISION = {
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "image_size": 896,
    "patch_size": 14,
}


def test_a_vision_tower_lies_beside_the_text_part() -> None:
    """Gemma 3's class loads it: hwdb counts it for the 4B, which its config describes."""
    gemma = shape_of_row(hwdb.find_model("gemma-3-4b"))
    text = {"model_type": "gemma3", "text_config": _gemma_text(), "vision_config": _VISION}
    shape = shape_of_config(json.dumps(text), "config.json")

    assert shape.idle_parameters == pytest.approx(gemma.idle_parameters, rel=0.001)
    weights = estimate_memory(gemma, request_of("lora")).parts.weights_bytes
    assert weights == pytest.approx(2 * hwdb.find_model("gemma-3-4b").parameters, rel=0.001)


def _gemma_text() -> dict[str, Any]:
    """A text part as small as a text part may be, of Gemma 3 4B's width."""
    sizes = {"hidden_size": 2560, "num_hidden_layers": 1, "num_attention_heads": 8}
    return {"model_type": "gemma3_text", **sizes, "intermediate_size": 64, "vocab_size": 100}


def test_a_model_around_a_known_text_part_is_not_known() -> None:
    """What else there is beside Qwen2's blocks, nobody says."""
    text = {**_gemma_text(), "model_type": "qwen2", "num_key_value_heads": 2}
    shape = shape_of_config(json.dumps({"model_type": "new", "text_config": text}), "config.json")
    band = estimate_memory(shape, request_of("lora")).allocated

    assert doubt_of(shape) is not None
    assert band.high_bytes > 1.3 * band.expected_bytes
