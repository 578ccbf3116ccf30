"""Every row is a test case of its own."""

from __future__ import annotations

import pytest

from hwdb import (
    Card,
    Family,
    Model,
    Offer,
    all_cards,
    all_models,
    all_offers,
    config_of,
    count_parameters,
    families,
    find_family,
)
from hwdb.check import problems_with
from hwdb.load import read_rows
from hwdb.rules import recomputed_parameters
from hwdb.source import Source

_DETERMINED = [model for model in all_models() if recomputed_parameters(model) is not None]


@pytest.mark.parametrize("card", all_cards(), ids=lambda card: card.id)
def test_card_obeys_the_rules(card: Card) -> None:
    """Each card has dated sources and numbers within physical bounds."""
    assert problems_with(card) == []


@pytest.mark.parametrize("model", all_models(), ids=lambda model: model.id)
def test_model_obeys_the_rules(model: Model) -> None:
    """Each model has known sources and numbers that agree with one another."""
    assert problems_with(model) == []


@pytest.mark.parametrize(
    "offer", all_offers(), ids=lambda offer: f"{offer.provider}-{offer.instance}-{offer.card_id}"
)
def test_offer_obeys_the_rules(offer: Offer) -> None:
    """Each price has a date, a source and one sum per hour and per card."""
    assert problems_with(offer) == []


@pytest.mark.parametrize("family", families().values(), ids=lambda family: family.model_type)
def test_family_obeys_the_rules(family: Family) -> None:
    """Each family names only linears and symbols that exist."""
    assert problems_with(family) == []


@pytest.mark.parametrize("row", read_rows("sources"), ids=lambda row: row["key"])
def test_source_says_what_it_is(row: dict[str, object]) -> None:
    """Each source has a description."""
    assert problems_with(Source(**row)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("model", _DETERMINED, ids=lambda model: model.id)
def test_parameters_follow_from_the_shape(model: Model) -> None:
    """The parameter count of a row is what its layers, widths and tables add up to."""
    family = find_family(model.architecture)

    assert family is not None
    assert count_parameters(model, family) == model.parameters


def test_every_checked_row_of_a_known_family_is_recomputed() -> None:
    """Only hierarchical, convolutional and multimodal models escape the recount."""
    escaping = {
        model.architecture
        for model in all_models()
        if model.parameters_check in ("exact", "within 0.5%", "computed")
        and model not in _DETERMINED
    }

    assert escaping == {
        "Gemma3ForConditionalGeneration",
        "SwinForImageClassification",
        "ConvNextForImageClassification",
        "ResNetForImageClassification",
    }


def test_a_row_becomes_the_config_of_its_family() -> None:
    """A row speaks the config.json language of its own architecture."""
    gpt2 = next(model for model in all_models() if model.id == "gpt2")

    config = config_of(gpt2, families()["gpt2"])

    assert config["model_type"] == "gpt2"
    assert (config["n_embd"], config["n_layer"], config["n_head"]) == (768, 12, 12)
    assert "hidden_size" not in config
