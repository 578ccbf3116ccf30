"""Which cards of hwdb would do for a need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hwdb.card import Card
from planner.budget import usable_bytes

_FORM_ORDER = ("desktop", "workstation", "pcie", "sxm")


def smallest_cards(
    cards: Sequence[Card], needed_bytes: int, offered: Mapping[str, int], count: int = 3
) -> list[Card]:
    """The `count` smallest NVIDIA cards that hold `needed_bytes`, one of each memory size.

    Among those of a size the best known comes first: `offered` counts the places that rent out a
    card by its id; then cards one can put into a machine, newer before older.
    """
    fitting = [
        card
        for card in cards
        if card.vendor == "nvidia"
        and card.form_factor in _FORM_ORDER
        and card.memory_bytes is not None
        and usable_bytes(card.memory_bytes) >= needed_bytes
    ]
    fitting.sort(key=lambda card: _rank(card, offered.get(card.id, 0)))
    chosen: list[Card] = []
    for card in fitting:
        if all(round(_gib(card)) != round(_gib(other)) for other in chosen):
            chosen.append(card)
        if len(chosen) == count:
            break
    return chosen


def _gib(card: Card) -> float:
    assert card.memory_bytes is not None
    return card.memory_bytes / 1024**3


def _rank(card: Card, places: int) -> tuple[int, int, int, int, str]:
    newest_first = -int((card.release_date or "0000")[:4])
    form = _FORM_ORDER.index(card.form_factor)
    return round(_gib(card)), -places, form, newest_first, card.id
