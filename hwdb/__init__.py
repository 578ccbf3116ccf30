"""What exists: cards, models, cloud prices and architectures, each fact with its source.

Importing this reads no data: a kind of row is read when one of it is first asked for, and the
classes below are made when they are first named.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from hwdb.find import (
    find_capability,
    find_card,
    find_card_or_none,
    find_family,
    find_model,
    find_word,
)
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
from hwdb.not_found import Ambiguous, NotFound

if TYPE_CHECKING:
    from hwdb.card import Card
    from hwdb.family import Family
    from hwdb.known_error import KnownError, Sighting, sightings
    from hwdb.model import Model, config_of
    from hwdb.offer import Offer
    from hwdb.parameter_count import count_from_config, count_parameters
    from hwdb.source import Source
    from hwdb.speed import SpeedConstants
    from hwdb.word import Word
else:
    _HOMES = {
        "Card": "card",
        "Family": "family",
        "KnownError": "known_error",
        "Model": "model",
        "Offer": "offer",
        "Sighting": "known_error",
        "Source": "source",
        "SpeedConstants": "speed",
        "Word": "word",
        "config_of": "model",
        "count_from_config": "parameter_count",
        "count_parameters": "parameter_count",
        "sightings": "known_error",
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'hwdb' has no attribute {name!r}")
        return getattr(import_module(f"hwdb.{_HOMES[name]}"), name)


VERSION = "2026.11"
"""Year and month in which the rows were collected."""

__all__ = [
    "VERSION",
    "Ambiguous",
    "Card",
    "Family",
    "KnownError",
    "Model",
    "NotFound",
    "Offer",
    "Sighting",
    "Source",
    "SpeedConstants",
    "Word",
    "all_cards",
    "all_known_errors",
    "all_models",
    "all_offers",
    "all_sources",
    "all_words",
    "config_of",
    "count_from_config",
    "count_parameters",
    "families",
    "find_capability",
    "find_card",
    "find_card_or_none",
    "find_family",
    "find_model",
    "find_word",
    "sightings",
    "speed_constants",
]
