"""Exact look-up by name. A near match is suggested, never taken.

Rows are searched as JSON and only the one that is returned becomes a value, and an exact id is
found without decoding the other rows, since the quick check asks for one model and one card.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from hwdb.load import Row, all_words, card_from, family_from, model_from, read_rows, row_with_id
from hwdb.not_found import Ambiguous, NotFound, close_ids

if TYPE_CHECKING:
    from hwdb.card import Card
    from hwdb.family import Family
    from hwdb.model import Model
    from hwdb.word import Word

_VENDOR_PREFIXES = ("nvidia ", "amd ", "intel(r) ", "geforce ", "radeon ")
_MEMORY_TOLERANCE = 0.03


def find_model(name: str) -> Model:
    """The model with this id, alias or Hub name, upper and lower case alike.

    Raises NotFound with suggestions.
    """
    row = row_with_id("models", name)
    if row is not None:
        return model_from(row)
    wanted = _normal(name)
    for row in read_rows("models"):
        if wanted in _model_names(row):
            return model_from(row)
    ids_by_name = {known: row["id"] for row in read_rows("models") for known in _model_names(row)}
    raise NotFound(
        kind="model",
        name=name,
        suggestions=close_ids(wanted, ids_by_name),
        known_count=len(read_rows("models")),
    )


def find_card(name: str, memory_bytes: int | None = None) -> Card:
    """The card with this id, marketing name or driver name; `memory_bytes` tells namesakes apart.

    "NVIDIA", "GeForce" and the like may be left out. Raises Ambiguous when the name stands for
    several cards and NotFound when there is none, or none whose memory is within 3 %.
    """
    row = row_with_id("cards", name)
    rows = [row] if row else _rows_of_card(name)
    return card_from(_only_row(rows, name=name, memory_bytes=memory_bytes))


def find_card_or_none(nvml_name: str, memory_bytes: int | None = None) -> Card | None:
    """The card the driver names so, None when hwdb has none or cannot tell which."""
    rows = [row for row in read_rows("cards") if nvml_name in row["nvml_names"]]
    try:
        return card_from(_only_row(rows, name=nvml_name, memory_bytes=memory_bytes))
    except NotFound:
        return None


@cache
def find_capability(name: str) -> tuple[int, int] | None:
    """Compute capability of the cards of this name, None when they differ or hwdb has none."""
    row = row_with_id("cards", name)
    found = {card_from(each).compute_capability for each in ([row] if row else _rows_of_card(name))}
    return found.pop() if len(found) == 1 else None


@cache
def find_family(name: str) -> Family | None:
    """The family of a model_type or an architecture class; of the text part for multimodal ones.

    None when hwdb does not describe it.
    """
    for row in read_rows("families"):
        wrappers = row.get("wrappers", {})
        if name in (row["model_type"], *row["heads"], *wrappers, *wrappers.values()):
            return family_from(row)
    return None


def find_word(name: str) -> Word:
    """The glossary's entry with this name or alias, upper and lower case alike.

    Raises NotFound with suggestions.
    """
    from hwdb.word import names_of, normal_word

    wanted = normal_word(name)
    words_by_name = {known: word for word in all_words() for known in names_of(word)}
    if wanted in words_by_name:
        return words_by_name[wanted]
    ids_by_name = {known: word.id for known, word in words_by_name.items()}
    raise NotFound(
        kind="word",
        name=name,
        suggestions=close_ids(wanted, ids_by_name),
        known_count=len(all_words()),
    )


def _rows_of_card(name: str) -> list[Row]:
    wanted = _normal(name)
    rows = [row for row in read_rows("cards") if _normal(row["id"]) == wanted]
    short = _without_vendor(wanted)
    return rows or [row for row in read_rows("cards") if short in _card_names(row)]


def _only_row(rows: list[Row], *, name: str, memory_bytes: int | None) -> Row:
    fitting = [row for row in rows if _memory_fits(row, memory_bytes)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise Ambiguous(
            kind="card",
            name=name,
            suggestions=tuple(row["id"] for row in fitting),
            known_count=len(read_rows("cards")),
        )
    ids_by_name = {known: row["id"] for row in read_rows("cards") for known in _card_names(row)}
    raise NotFound(
        kind="card",
        name=name,
        suggestions=close_ids(_without_vendor(_normal(name)), ids_by_name),
        known_count=len(read_rows("cards")),
        known_bytes=tuple(sorted({row["memory_bytes"] for row in rows})),
    )


def _memory_fits(row: Row, memory_bytes: int | None) -> bool:
    if memory_bytes is None or row["memory_bytes"] is None:
        return True
    totals = (row["memory_bytes"], *row["other_memory_bytes"])
    return any(abs(memory_bytes - total) <= _MEMORY_TOLERANCE * total for total in totals)


def _normal(name: str) -> str:
    return " ".join(name.lower().replace("-", " ").replace("_", " ").split())


def _without_vendor(normal: str) -> str:
    for prefix in _VENDOR_PREFIXES:
        normal = normal.removeprefix(prefix)
    return normal


def _model_names(row: Row) -> list[str]:
    names = (row["id"], *row["aliases"], row["hub_id"], row["instruct_hub_id"])
    return [_normal(name) for name in names if name]


def _card_names(row: Row) -> list[str]:
    return [
        _normal(row["id"]),
        *(_without_vendor(_normal(name)) for name in (row["name"], *row["nvml_names"])),
    ]
