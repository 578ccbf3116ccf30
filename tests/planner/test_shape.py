"""A config.json becomes counts that agree with hwdb, or an error that names the key."""

from __future__ import annotations

from typing import Any

import pytest

import hwdb
from hwdb import Family, Model
from hwdb.rules import recomputed_parameters
from planner.shape import ShapeError, shape_of
from tests.planner.samples import TINY_LLAMA, shape_of_config, tiny_llama


def _is_planned(model: Model) -> bool:
    family = hwdb.find_family(model.architecture)
    return family is not None and family.kind != "encoder_decoder"


_DETERMINED = [
    model
    for model in hwdb.all_models()
    if _is_planned(model) and recomputed_parameters(model) is not None
]
_FAMILIES = [family for family in hwdb.families().values() if family.kind != "encoder_decoder"]


def _shape_of_row(model: Model) -> Any:
    family = hwdb.find_family(model.architecture)
    assert family is not None
    return shape_of(hwdb.config_of(model, family), family, hwdb.families()["llama"])


@pytest.mark.parametrize("model", _DETERMINED, ids=lambda model: model.id)
def test_a_row_has_the_parameters_of_its_shape(model: Model) -> None:
    """The shape counts exactly the parameters that hwdb states."""
    shape = _shape_of_row(model)

    assert shape.parameters == model.parameters
    assert shape.layers == model.layers
    assert shape.recognized


@pytest.mark.parametrize(
    "model",
    [model for model in _DETERMINED if model.architecture != "AlbertModel"],
    ids=lambda model: model.id,
)
def test_blocks_and_tables_make_up_the_model(model: Model) -> None:
    """What is not in blocks, embeddings and head is small: norms, poolers, classifiers."""
    shape = _shape_of_row(model)

    inside = shape.layers * shape.block_parameters
    outside = shape.embedding_parameters + shape.head_parameters
    rest = shape.parameters - inside - outside
    assert shape.block_parameters > 0
    assert abs(rest) <= 0.05 * shape.parameters


def test_the_parts_of_a_llama_add_up_exactly() -> None:
    """Embeddings, blocks, one final norm and the head are all there is."""
    shape = tiny_llama()

    assert shape.linear_parameters == 256 * (256 + 128 + 128 + 256) + 3 * 256 * 704
    assert shape.other_block_parameters == 2 * 256
    assert shape.embedding_parameters == shape.head_parameters == 2000 * 256
    assert shape.parameters == 3 * shape.block_parameters + 2 * 2000 * 256 + 256


def test_a_tied_head_counts_once() -> None:
    """Tying takes the head's matrix away."""
    assert tiny_llama(tie_word_embeddings=True).head_parameters == 0
    assert tiny_llama().parameters - tiny_llama(tie_word_embeddings=True).parameters == 2000 * 256


def test_the_head_width_need_not_divide_the_model() -> None:
    """head_dim of the config wins over hidden size through heads."""
    wide = tiny_llama(head_dim=128)

    assert wide.sizes["q"] == 512
    assert wide.sizes["k"] == 256


def test_an_unknown_family_is_read_as_a_llama_and_says_so() -> None:
    """The stand-in gives a number, never in silence."""
    shape = shape_of_config({**TINY_LLAMA, "model_type": "never-heard-of"})

    assert not shape.recognized
    assert shape.model_type == "never-heard-of"
    assert shape.parameters == tiny_llama().parameters


def test_the_text_part_of_a_multimodal_config_is_read() -> None:
    """Vision towers stay as they are; what is trained is the language model."""
    text = {**TINY_LLAMA, "model_type": "mistral"}
    outer = {"model_type": "mistral3", "text_config": text, "vision_config": {"hidden_size": 1}}

    shape = shape_of_config(outer)

    assert shape.recognized
    assert shape.family.model_type == "mistral"
    assert shape.parameters == tiny_llama().parameters


@pytest.mark.parametrize(
    "key", ["hidden_size", "vocab_size", "intermediate_size", "num_attention_heads"]
)
def test_a_missing_width_is_named(key: str) -> None:
    """The error carries the key that config.json lacks."""
    config = {name: value for name, value in TINY_LLAMA.items() if name != key}

    with pytest.raises(ShapeError) as caught:
        shape_of_config(config)

    assert caught.value.key in (key, "q")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hidden_size", "wide"),
        ("num_attention_heads", 0),
        ("num_hidden_layers", None),
        ("num_hidden_layers", [3]),
        ("vocab_size", {}),
    ],
)
def test_a_value_of_the_wrong_kind_is_no_crash(key: str, value: object) -> None:
    """A broken config ends in a ShapeError of one line."""
    with pytest.raises(ShapeError) as caught:
        shape_of_config({**TINY_LLAMA, key: value})

    assert "\n" not in str(caught.value)


_LEAST: dict[str, Any] = {
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


@pytest.mark.parametrize("family", _FAMILIES, ids=lambda family: family.model_type)
def test_every_family_makes_a_shape_from_its_defaults(family: Family) -> None:
    """Widths alone are enough: all else has the defaults of the config class."""
    config = {"model_type": family.model_type} | {
        names[0]: value
        for key, value in _LEAST.items()
        if (names := family.config_keys.get(key, (key,)))
    }

    shape = shape_of_config(config)

    assert shape.recognized
    assert shape.layers == 3
    assert shape.hidden_size == 96
    assert shape.linear_parameters > 0
    assert shape.tensors > 0


def test_an_encoder_decoder_is_refused_by_name() -> None:
    """Two stacks in one model are not planned, and the error says which model that is."""
    with pytest.raises(ShapeError, match="t5"):
        _shape_of_row(hwdb.find_model("flan-t5-small"))
