"""JSON rows become values, each file read once and only when a row of its kind is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from hwdb.card import Card
    from hwdb.family import Experts, Family
    from hwdb.known_error import KnownError
    from hwdb.model import Model
    from hwdb.offer import Offer
    from hwdb.source import Source
    from hwdb.speed import SpeedConstants
    from hwdb.word import Word

Row = dict[str, Any]
Kind = Literal["cards", "models", "offers", "families", "sources", "words", "known_errors", "speed"]

_DATA = Path(__file__).parent / "data"


@cache
def read_file(kind: Kind) -> Row:
    """The whole file of a kind: `collected` (ISO date) and `rows`."""
    content: Row = json.loads(_text(kind))
    return content


@cache
def _text(kind: Kind) -> str:
    return (_DATA / f"{kind}.json").read_text(encoding="utf-8")


@cache
def read_rows(kind: Kind) -> list[Row]:
    """Rows of a kind as they stand in the file, for look-ups that build only what they return.

    Cards and models that the user added stand behind them; see `hwdb.user`.
    """
    rows: list[Row] = read_file(kind)["rows"]
    if kind not in ("cards", "models"):
        return rows
    from hwdb.user import user_rows

    return [*rows, *user_rows(kind)]


def row_with_id(kind: Kind, row_id: str) -> Row | None:
    """The row with exactly this id, decoded alone: a tenth of the time of the whole file.

    Rows begin with their id. None may also mean that the name is written in another way.
    """
    text = _text(kind)
    start = text.find(f'{{"id": {json.dumps(row_id)},')
    if start < 0:
        return None
    row: Row = json.JSONDecoder().raw_decode(text, start)[0]
    return row


@cache
def all_cards() -> tuple[Card, ...]:
    """Every card, in the order of the file."""
    return tuple(card_from(row) for row in read_rows("cards"))


@cache
def all_models() -> tuple[Model, ...]:
    """Every model, in the order of the file."""
    return tuple(model_from(row) for row in read_rows("models"))


@cache
def all_offers() -> tuple[Offer, ...]:
    """Every cloud price, in the order of the file."""
    return tuple(offer_from(row) for row in read_rows("offers"))


@cache
def all_sources() -> tuple[Source, ...]:
    """Every place the numbers come from."""
    return tuple(source_from(row) for row in read_rows("sources"))


@cache
def all_words() -> tuple[Word, ...]:
    """Every entry of the glossary, in the order of the file."""
    return tuple(word_from(row) for row in read_rows("words"))


@cache
def all_known_errors() -> tuple[KnownError, ...]:
    """Every error that is known by its text, in the order of the file."""
    from hwdb.known_error import KnownError

    return tuple(KnownError(**_with_tuples(row)) for row in read_rows("known_errors"))


@cache
def families() -> Mapping[str, Family]:
    """Every family by its model_type."""
    return {row["model_type"]: family_from(row) for row in read_rows("families")}


@cache
def speed_constants() -> SpeedConstants:
    """What was learned from measured runs about the speed of training."""
    from hwdb.speed import speed_from

    return speed_from(read_file("speed"))


def card_from(row: Row) -> Card:
    """A card from its JSON row."""
    from hwdb.card import Card

    return Card(**_with_tuples(row))


def model_from(row: Row) -> Model:
    """A model from its JSON row."""
    from hwdb.model import Model

    return Model(**_with_tuples(row))


def offer_from(row: Row) -> Offer:
    """A cloud price from its JSON row."""
    from hwdb.offer import Offer

    return Offer(**row)


def source_from(row: Row) -> Source:
    """A source from its JSON row."""
    from hwdb.source import Source

    return Source(**row)


def word_from(row: Row) -> Word:
    """An entry of the glossary from its JSON row."""
    from hwdb.word import Word

    return Word(**_with_tuples(row))


def family_from(row: Row) -> Family:
    """A family from its JSON row; fields that keep their default are absent there."""
    from hwdb.family import Family, Linear, Norm, Tensor

    built = _with_tuples(row)
    for key in ("bias_flags", "config_keys"):
        built[key] = _with_tuples(row.get(key, {}))
    built["linears"] = tuple(Linear(*item) for item in row["linears"])
    for key in ("norms", "embedding_norms", "final_norms"):
        built[key] = tuple(Norm(*item) for item in row.get(key, ()))
    for key in ("block_tensors", "embeddings"):
        built[key] = tuple(Tensor(*item) for item in row.get(key, ()))
    built["heads"] = {
        name: tuple(Tensor(*item) for item in items) for name, items in row["heads"].items()
    }
    if row.get("experts"):
        built["experts"] = _experts(row["experts"])
    return Family(**built)


def _experts(row: Row) -> Experts:
    from hwdb.family import Experts, Linear

    built = _with_tuples(row)
    built["linears"] = tuple(Linear(*item) for item in row["linears"])
    built["router"] = Linear(*row["router"])
    built["modules"] = tuple(Linear(*item) for item in row.get("modules", ()))
    return Experts(**built)


def _with_tuples(row: Row) -> Row:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
