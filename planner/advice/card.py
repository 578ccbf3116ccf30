"""Which cards of hwdb would do for a need."""

from __future__ import annotations

from collections.abc import Sequence

from hwdb.card import Card
from planner.budget import usable_bytes

_FORM_ORDER = ("desktop", "workstation", "pcie", "sxm")


def smallest_cards(cards: Sequence[Card], needed_bytes: int, count: int = 3) -> list[Card]:
    """The `count` smallest NVIDIA cards that hold `needed_bytes`, one of each memory size.

    Cards one can put into a machine come first among those of a size, newer before older.
    """
    fitting = [
        card
        for card in cards
        if card.vendor == "nvidia"
        and card.form_factor in _FORM_ORDER
        and card.memory_bytes is not None
        and usable_bytes(card.memory_bytes) >= needed_bytes
    ]
    fitting.sort(key=_rank)
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


def _rank(card: Card) -> tuple[int, int, int, str]:
    newest_first = -int((card.release_date or "0000").replace("-", "")[:4])
    return round(_gib(card)), _FORM_ORDER.index(card.form_factor), newest_first, card.id
