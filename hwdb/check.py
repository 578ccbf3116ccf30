"""Proves every row of hwdb: `python -m hwdb.check` prints the problems and exits 1 if any."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator

from hwdb.load import (
    all_cards,
    all_known_errors,
    all_models,
    all_offers,
    all_sources,
    all_words,
    families,
    speed_constants,
)
from hwdb.rules import problems_with, recomputed_parameters
from hwdb.word import names_of

__all__ = ["all_problems", "main", "problems_with", "summary"]


def all_problems() -> list[str]:
    """Every problem of a row or between rows, each line beginning with the row it is about."""
    return [*_row_problems(), *_join_problems(), *_speed_problems()]


def summary(problem_count: int) -> str:
    """What was proved, and what could not be, in one line."""
    counts = [recomputed_parameters(model) for model in all_models()]
    open_count = counts.count(None)
    return (
        f"{len(all_cards())} cards, {len(all_models())} models, {len(all_offers())} offers: "
        f"{problem_count} problems; parameter counts recomputed for "
        f"{len(counts) - open_count}, not determined by the columns for {open_count}"
    )


def main() -> int:
    """Prints one line per problem and a summary; 0 when there is none, else 1."""
    problems = all_problems()
    sys.stdout.writelines(f"{line}\n" for line in (*problems, summary(len(problems))))
    return 1 if problems else 0


def _row_problems() -> Iterator[str]:
    for card in all_cards():
        yield from (f"card {card.id}: {problem}" for problem in problems_with(card))
    for model in all_models():
        yield from (f"model {model.id}: {problem}" for problem in problems_with(model))
    for offer in all_offers():
        place = f"offer {offer.provider} {offer.instance} ({offer.card_id})"
        yield from (f"{place}: {problem}" for problem in problems_with(offer))
    for family in families().values():
        yield from (f"family {family.model_type}: {problem}" for problem in problems_with(family))
    for source in all_sources():
        yield from (f"source {source.key}: {problem}" for problem in problems_with(source))
    for error in all_known_errors():
        yield from (f"known error {error.id}: {problem}" for problem in problems_with(error))
    for word in all_words():
        yield from (f"word {word.id}: {problem}" for problem in problems_with(word))


def _join_problems() -> Iterator[str]:
    cards, models = all_cards(), all_models()
    yield from _repeats("card id", (card.id for card in cards))
    yield from _repeats("card name", (card.name.lower() for card in cards))
    yield from _repeats("source", (source.key for source in all_sources()))
    yield from _repeats("known error", (error.id for error in all_known_errors()))
    yield from _repeats("architecture", _architectures())
    yield from _repeats("word", (name for word in all_words() for name in names_of(word)))
    yield from _repeats(
        "model name",
        (
            name.lower()
            for model in models
            for name in {model.id, *model.aliases, model.hub_id, model.instruct_hub_id}
            if name
        ),
    )
    yield from _repeats(
        "offer",
        (
            f"{offer.provider} {offer.instance} {offer.gpus}x {offer.card_id} in {offer.region}"
            for offer in all_offers()
        ),
    )
    card_ids = {card.id for card in cards}
    for offer in all_offers():
        if offer.card_id not in card_ids:
            yield f"offer {offer.provider} {offer.instance}: no card {offer.card_id}"


def _speed_problems() -> Iterator[str]:
    """What was learned about speed stays within physics and names cards that exist."""
    constants = speed_constants()
    card_ids = {card.id for card in all_cards()}
    for card_id, factor in constants.card_factors.items():
        if card_id not in card_ids:
            yield f"speed: no card {card_id}"
        if not 0.3 < factor < 2:
            yield f"speed: factor {factor} of {card_id} is outside 0.3 to 2"
    shares = ("matmul", "attention", "attention_of_2023", "bandwidth", "unpacking", "overlap")
    for name in shares:
        if not 0 < getattr(constants, name) < 1:
            yield f"speed: {name} is no share"
    for name, (low, high) in constants.intervals.items():
        if not 0.3 < low < 1 < high < 3:
            yield f"speed: interval {name} does not hold what is expected"
    known = {source.key for source in all_sources()}
    if constants.source.split(":")[0] not in known:
        yield f"speed: unknown source {constants.source}"


def _architectures() -> Iterator[str]:
    for family in families().values():
        yield from family.architectures
        yield from family.wrappers.values()


def _repeats(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{what} {name} stands {times} times"


if __name__ == "__main__":
    sys.exit(main())
