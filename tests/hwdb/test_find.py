"""Names are found exactly or not at all."""

from __future__ import annotations

import pytest

from hwdb import (
    Ambiguous,
    Card,
    Model,
    NotFound,
    all_cards,
    all_models,
    find_card,
    find_card_or_none,
    find_family,
    find_model,
)

MIB = 2**20


@pytest.mark.parametrize("card", all_cards(), ids=lambda card: card.id)
def test_a_card_is_found_by_its_id(card: Card) -> None:
    """Every id finds its own card."""
    assert find_card(card.id) == card


@pytest.mark.parametrize("model", all_models(), ids=lambda model: model.id)
def test_a_model_is_found_by_every_name(model: Model) -> None:
    """Id, aliases and Hub names all lead to the row, in upper case too."""
    names = (model.id, *model.aliases, model.hub_id, model.instruct_hub_id)

    for name in filter(None, names):
        assert find_model(name) == find_model(name.upper()) == model


@pytest.mark.parametrize(
    ("name", "card_id"),
    [
        ("RTX 4090", "rtx-4090"),
        ("rtx 4090", "rtx-4090"),
        ("GeForce RTX 4090", "rtx-4090"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("RTX 4090 Laptop GPU", "rtx-4090-laptop"),
        ("RTX A4000", "rtx-a4000"),
        ("A40", "a40"),
        ("NVIDIA A100-SXM4-80GB", "a100-sxm4-80gb"),
        ("Tesla T4", "t4"),
        ("TITAN RTX", "titan-rtx"),
        ("Apple M2 Max", "apple-m2-max"),
        ("Radeon RX 7900 XTX", "rx-7900-xtx"),
        ("rtx_3060_12gb", "rtx-3060-12gb"),
    ],
)
def test_a_card_is_found_by_its_names(name: str, card_id: str) -> None:
    """Marketing names and driver names work, with and without the vendor."""
    assert find_card(name).id == card_id


@pytest.mark.parametrize("name", ["RTX 409", "4090", "RTX 4090 Mobile", "A100", "", "RTX A40"])
def test_no_near_match_is_taken(name: str) -> None:
    """A name that is not exactly a card's is not found, however close."""
    with pytest.raises(NotFound) as caught:
        find_card(name)

    assert not isinstance(caught.value, Ambiguous)
    assert caught.value.kind == "card"
    assert caught.value.known_count == len(all_cards())
    assert len(caught.value.suggestions) <= 3


def test_a_miss_suggests_close_names() -> None:
    """The nearest ids are offered, the same ones each time."""
    with pytest.raises(NotFound, match='no model named "lama') as caught:
        find_model("lama-3.1-8b")

    assert caught.value.suggestions[0] == "llama-3.1-8b"

    with pytest.raises(NotFound) as caught:
        find_card("a100-sxm4")

    assert set(caught.value.suggestions) >= {"a100-sxm4-40gb", "a100-sxm4-80gb"}


def test_a_shared_driver_name_is_ambiguous() -> None:
    """A driver name of several memory sizes is refused, with all of them named."""
    with pytest.raises(Ambiguous) as caught:
        find_card("NVIDIA GeForce RTX 3060")

    assert caught.value.suggestions == ("rtx-3060-12gb", "rtx-3060-8gb")


def test_memory_tells_namesakes_apart() -> None:
    """The driver's total picks the row, a few percent off included."""
    name = "NVIDIA GeForce RTX 3060"

    assert find_card(name, memory_bytes=12288 * MIB).id == "rtx-3060-12gb"
    assert find_card(name, memory_bytes=8100 * MIB).id == "rtx-3060-8gb"


def test_modified_memory_is_no_known_card() -> None:
    """A total that fits no row of that name is not found; the known sizes are said."""
    with pytest.raises(NotFound, match="24564 MiB") as caught:
        find_card("NVIDIA GeForce RTX 4090", memory_bytes=49140 * MIB)

    assert caught.value.known_bytes == (24564 * MIB,)


def test_ecc_does_not_hide_a_card() -> None:
    """A card is itself with error correction on, which takes six percent of its memory."""
    assert find_card("NVIDIA RTX A6000", memory_bytes=46068 * MIB).id == "rtx-a6000"


def test_the_driver_name_must_be_exact() -> None:
    """Detection gets None instead of a guess, for unknown and for ambiguous names."""
    known = find_card_or_none("NVIDIA GeForce RTX 4090", 24564 * MIB)

    assert known is not None
    assert known.id == "rtx-4090"
    assert find_card_or_none("RTX 4090", 24564 * MIB) is None
    assert find_card_or_none("NVIDIA GeForce RTX 4090 Laptop", None) is None
    assert find_card_or_none("NVIDIA GeForce RTX 2070", 8192 * MIB) is None
    assert find_card_or_none("NVIDIA GeForce RTX 4090", 49140 * MIB) is None


@pytest.mark.parametrize(
    ("name", "model_type"),
    [
        ("llama", "llama"),
        ("LlamaForCausalLM", "llama"),
        ("gemma3", "gemma3_text"),
        ("Gemma3ForConditionalGeneration", "gemma3_text"),
        ("BertForSequenceClassification", "bert"),
    ],
)
def test_a_family_is_found_by_type_and_class(name: str, model_type: str) -> None:
    """config.json's model_type and architectures both lead to the family."""
    family = find_family(name)

    assert family is not None
    assert family.model_type == model_type


def test_an_unknown_family_is_none() -> None:
    """An architecture that hwdb does not describe gives None."""
    assert find_family("ResNetForImageClassification") is None
