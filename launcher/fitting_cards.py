"""The smallest cards of hwdb that hold what a method needs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import hwdb
from planner.advice.card import smallest_cards
from planner.plan import MethodAnswer

if TYPE_CHECKING:
    from hwdb.card import Card


def cards_for(answer: MethodAnswer) -> tuple[Card, ...]:
    """The three smallest cards of hwdb that hold the upper end of a need."""
    offered = Counter(offer.card_id for offer in hwdb.all_offers())
    return tuple(smallest_cards(hwdb.all_cards(), answer.memory.needed.high_bytes, offered))
