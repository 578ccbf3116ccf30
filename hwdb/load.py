"""JSON rows become values, each file read once and only when a row of its kind is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from hwdb.card import Card
    from hwdb.family import Experts, Family, Linear, Norm, Tensor
    from hwdb.model import Model
    from hwdb.offer import Offer
    from hwdb.source import Source

Row = dict[str, Any]
Kind = Literal["cards", "models", "offers", "families", "sources"]

_DATA = Path(__file__).parent / "data"


@cache
def read_file(kind: Kind) -> Row:
    """The whole file of a kind: `collected` (ISO date) and `rows`."""
    content: Row = json.loads((_DATA / f"{kind}.json").read_text(encoding="utf-8"))
    return content


def read_rows(kind: Kind) -> list[Row]:
    """Rows of a kind as they stand in the file, for look-ups that build only what they return."""
    rows: list[Row] = read_file(kind)["rows"]
    return rows


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
def families() -> Mapping[str, Family]:
    """Every family by its model_type."""
    return {row["model_type"]: family_from(row) for row in read_rows("families")}


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


def family_from(row: Row) -> Family:
    """A family from its JSON row; fields that keep their default are absent there."""
    from hwdb.family import Family

    built = _with_tuples(row)
    for key in ("bias_flags", "config_keys"):
        built[key] = _with_tuples(row.get(key, {}))
    built["linears"] = tuple(_linear(item) for item in row["linears"])
    for key in ("norms", "embedding_norms", "final_norms"):
        built[key] = tuple(_norm(item) for item in row.get(key, ()))
    for key in ("block_tensors", "embeddings"):
        built[key] = tuple(_tensor(item) for item in row.get(key, ()))
    built["heads"] = {
        name: tuple(_tensor(item) for item in items) for name, items in row["heads"].items()
    }
    if row.get("experts"):
        built["experts"] = _experts(row["experts"])
    return Family(**built)


def _with_tuples(row: Row) -> Row:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


def _linear(item: list[Any]) -> Linear:
    from hwdb.family import Linear

    name, inputs, outputs, role, *when = item
    return Linear(
        name=name,
        inputs=inputs,
        outputs=outputs,
        role=role,
        when=when[0] if when else None,
    )


def _norm(item: list[str]) -> Norm:
    from hwdb.family import Norm

    name, width, *when = item
    return Norm(name=name, width=width, when=when[0] if when else None)


def _tensor(item: list[str]) -> Tensor:
    from hwdb.family import Tensor

    name, rows, columns, *when = item
    return Tensor(name=name, rows=rows, columns=columns, when=when[0] if when else None)


def _experts(row: Row) -> Experts:
    from hwdb.family import Experts

    built = _with_tuples(row)
    built["linears"] = tuple(_linear(item) for item in row["linears"])
    built["router"] = _linear(row["router"])
    return Experts(**built)
