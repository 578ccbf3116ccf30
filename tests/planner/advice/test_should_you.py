"""Advice follows from facts: how many rows, of which kind, on which model, and what fits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from planner.advice.concerns import examples_that_fit
from planner.advice.should_you import should_you
from planner.advice.situation import Offer, Situation

_ALL_FIT = {
    "full": Offer(fits="yes", needed_bytes=60),
    "lora": Offer(fits="yes", needed_bytes=17),
    "qlora": Offer(fits="yes", needed_bytes=7),
}


def situation(**changes: Any) -> Situation:
    """A thousand chats on an instruct model, with room for everything."""
    usual: dict[str, Any] = {
        "task": "causal-lm",
        "layout": "messages",
        "examples": 1000,
        "mean_tokens": 200.0,
        "longest_tokens": 400,
        "context_tokens": 4096,
        "instruct": True,
        "model": "some-model",
        "held_out_rows": 100,
        "offers": _ALL_FIT,
    }
    return Situation(**{**usual, **changes})


def codes(facts: Situation) -> set[str]:
    """The codes of everything that is advised."""
    return {item.code for item in should_you(facts).items}


@pytest.mark.parametrize(
    ("changes", "advised"),
    [
        ({"examples": 40}, "in-context"),
        ({"examples": 40, "layout": "text"}, "lora"),
        ({"examples": 40, "task": "text-classification", "layout": "text_label"}, "head-only"),
        ({"examples": 100}, "lora"),
        ({"examples": 10_000}, "lora"),
        ({"examples": 10_001}, "full"),
        ({"examples": 10_001, "offers": {**_ALL_FIT, "full": Offer(fits="no")}}, "lora"),
        ({"offers": {"lora": Offer(fits="no"), "qlora": Offer(fits="tight")}}, "qlora"),
        ({"offers": {"lora": Offer(fits="no"), "qlora": Offer(fits="no")}}, "in-context"),
        ({"offers": {}}, "lora"),
    ],
)
def test_the_lightest_way_that_fits_comes_first(changes: dict[str, Any], advised: str) -> None:
    """Prompt below 100 rows, adapters up to 10 000, full beyond where the memory allows."""
    advice = should_you(situation(**changes))

    assert advice.advised == advised
    assert advice.reason
    assert [option.approach for option in advice.options if option.advised] in ([advised], [])


def test_few_examples_are_counted_into_the_prompt() -> None:
    """The number of examples a prompt can hold comes from their length and the context."""
    facts = situation(examples=40)
    (item,) = [item for item in should_you(facts).items if item.code == "IN_CONTEXT_FIRST"]

    assert examples_that_fit(facts) == (4096 * 3 // 4 - 400) // 200
    assert item.data["examples_in_prompt"] == examples_that_fit(facts)
    assert examples_that_fit(replace(facts, context_tokens=None)) is None


def test_a_base_model_for_chats_is_told_its_instruct_sibling() -> None:
    """The name that --model takes stands in the sentence."""
    facts = situation(instruct=False, sibling="org/model-instruct")

    (item,) = [i for i in should_you(facts).items if i.code == "INSTRUCT_RATHER_THAN_BASE"]

    assert "--model org/model-instruct" in item.text
    assert item.level == "warning"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"distance_nats": 1.5}, "DOMAIN_FAR"),
        ({"distance_nats": 0.1}, "DOMAIN_NEAR"),
        ({"distance_nats": 0.6}, "DOMAIN_BETWEEN"),
        ({"layout": "text"}, "BASE_RATHER_THAN_INSTRUCT"),
        ({"layout": "text"}, "LOOK_UP_RATHER_THAN_LEARN"),
        ({"longest_tokens": 5000}, "LONGER_THAN_CONTEXT"),
        ({"held_out_rows": 5}, "FEW_ROWS_TO_MEASURE"),
        ({"class_counts": {"a": 90, "b": 3}}, "CLASS_TOO_SMALL"),
        ({"class_counts": {"a": 900, "b": 30}}, "CLASSES_UNEVEN"),
    ],
)
def test_each_fact_that_matters_is_named(changes: dict[str, Any], code: str) -> None:
    """One item with its own code for each, and none of them without its fact."""
    assert code in codes(situation(**changes))
    assert code not in codes(situation())


def test_nothing_is_guessed_without_a_measurement() -> None:
    """An unknown distance gives no sentence about the domain."""
    assert not {code for code in codes(situation()) if code.startswith("DOMAIN")}


def test_time_and_cost_stand_beside_each_option() -> None:
    """What was planned for a method comes back with it, unknown as None."""
    offers = {"lora": Offer(fits="yes", needed_bytes=17, seconds=60.0), "full": Offer(fits="no")}

    options = {option.approach: option for option in should_you(situation(offers=offers)).options}

    assert list(options) == ["in-context", "lora", "full"]
    assert options["lora"].offer.seconds == 60.0
    assert options["full"].offer.usd is None
