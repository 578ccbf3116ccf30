"""Whether to fine-tune at all, and the lightest way that would do: rules of thumb over facts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from planner.advice.concerns import concerns
from planner.advice.situation import (
    FEW_EXAMPLES,
    MANY_EXAMPLES,
    AdviceItem,
    Approach,
    Offer,
    Situation,
)
from planner.request import Method


class Option(NamedTuple):
    """One way to go, with what it would take."""

    approach: Approach
    advised: bool
    why: str
    offer: Offer


class Advice(NamedTuple):
    """What to do, why, and what the other ways would take."""

    advised: Approach
    reason: str
    items: tuple[AdviceItem, ...]
    options: tuple[Option, ...]


def should_you(facts: Situation) -> Advice:
    """Advice on a fine-tune that is being planned, lightest way first."""
    advised, reason = _advised(facts)
    return Advice(
        advised=advised,
        reason=reason,
        items=tuple(concerns(facts, advised)),
        options=tuple(_options(facts, advised)),
    )


def _advised(facts: Situation) -> tuple[Approach, str]:
    few = facts.examples < FEW_EXAMPLES
    if facts.task == "causal-lm" and facts.layout != "text" and few:
        return "in-context", (
            f"{facts.examples} examples are few: put the best of them into the prompt first, and "
            "fine-tune only if that is not good enough, or its prompts are too long or too slow"
        )
    if facts.task != "causal-lm" and few:
        return "head-only", (
            f"{facts.examples} examples are few: a new head on frozen features learns most of "
            "what they can teach (--method full --train-last 0)"
        )
    return _lightest(facts)


def _lightest(facts: Situation) -> tuple[Approach, str]:
    many = facts.examples > MANY_EXAMPLES
    if many and _fits(facts, "full"):
        return "full", (
            f"{facts.examples} examples are enough to change every weight, and full fits here; "
            "adapters are lighter and forget less, so compare both if the old skills matter"
        )
    for method in ("lora", "qlora"):
        if _fits(facts, method):
            amount = "many" if many else "enough for adapters"
            return method, (
                f"{facts.examples} examples are {amount}, and {method} is the lightest "
                f"change that fits{' in 16 bit' if method == 'lora' else ''}"
            )
    if not facts.offers:
        return "lora", f"{facts.examples} examples suit adapters (100 to 10 000)"
    if _fits(facts, "full"):
        return "full", "full is what fits of the methods that were planned"
    return "in-context", "no method fits here, so examples in the prompt are what is left"


def _fits(facts: Situation, method: Method) -> bool:
    offer = facts.offers.get(method)
    return offer is not None and offer.fits != "no"


def _options(facts: Situation, advised: Approach) -> Iterator[Option]:
    if facts.task == "causal-lm" and facts.layout != "text":
        yield Option(
            "in-context",
            advised == "in-context",
            "no training; longer prompts at every question",
            Offer(fits="yes", seconds=0.0, usd=0.0),
        )
    if facts.task != "causal-lm":
        why = "only the new head; minutes, and nothing is forgotten"
        yield Option("head-only", advised == "head-only", why, facts.head_only)
    for method, why in _METHOD_WORDS.items():
        if method in facts.offers:
            yield Option(method, advised == method, why, facts.offers[method])


_METHOD_WORDS: dict[Method, str] = {
    "lora": "small matrices beside frozen weights; a result of some MiB",
    "qlora": "the same over 4-bit weights: least memory, somewhat slower",
    "full": "every weight: most memory, learns and forgets most",
}
