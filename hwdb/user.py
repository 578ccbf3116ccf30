"""Cards and models a user added: rows of their own beside those of hwdb, checked by the same rules.

    $XDG_CONFIG_HOME/tlplan/cards.json      {"rows": [{"id": "my-card", "name": ..., ...}]}
    $XDG_CONFIG_HOME/tlplan/models.json

A row names what it knows; the rest is unknown. Its source is the user's file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal

Row = dict[str, Any]
UserKind = Literal["cards", "models"]

_GIB = 2**30

_CARD_DEFAULTS: Row = {
    "vendor": "nvidia",
    "architecture": "unknown",
    "pci_device_ids": [],
    "form_factor": "desktop",
    "other_memory_bytes": [],
    "memory_options_gb": [],
    "memory_confirmed": False,
    "memory_type": "unknown",
    "compute_target": None,
    "sources": ["user"],
    "verified": "no",
    "release_date": "2020",
}
_MODEL_DEFAULTS: Row = {
    "aliases": [],
    "instruct_hub_id": None,
    "task": "causal-lm",
    "tied_embeddings": False,
    "other_config": {},
    "parameters_check": "not looked up",
    "license": "unknown",
    "gated": False,
    "release_date": "2020",
    "sources": ["user"],
}


class UserRowError(ValueError):
    """A row of the user's own file that breaks a rule; the message names file and line."""


def user_file(kind: UserKind) -> Path:
    """Where a user's own rows of a kind stand."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "tlplan" / f"{kind}.json"


def user_rows(kind: UserKind) -> list[Row]:
    """The user's own rows, complete and checked; none where there is no file.

    Raises UserRowError naming file:line.
    """
    file = user_file(kind)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except OSError as problem:
        raise UserRowError(f"{file}: cannot be read: {problem.strerror}") from None
    except UnicodeDecodeError as problem:
        raise UserRowError(f"{file}: is not UTF-8 at byte {problem.start}") from None
    try:
        content = json.loads(text)
    except ValueError as problem:
        line = getattr(problem, "lineno", 1)
        raise UserRowError(f"{file}:{line}: not JSON: {problem}") from None
    rows = content.get("rows") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UserRowError(f'{file}:1: expected {{"rows": [{{"id": ...}}, ...]}}')
    complete: list[Row] = []
    for row in rows:
        twice = any(known["id"] == row.get("id") for known in complete)
        place = f"{file}:{_line_of(text, row, last=twice)}"
        if twice:
            raise UserRowError(f"{place}: {row['id']}: a row above has this id already")
        complete.append(_complete(kind, row, place))
    return complete


def _line_of(text: str, row: Row, *, last: bool) -> int:
    """The line on which a row's id stands for the first or last time, 1 where it has none."""
    find = text.rfind if last else text.find
    at = find(json.dumps(row.get("id")))
    return text.count("\n", 0, at) + 1 if at >= 0 else 1


def _complete(kind: UserKind, given: Row, place: str) -> Row:
    from hwdb.card import Card  # classes and rules only where a user has rows
    from hwdb.model import Model

    fields = Card._fields if kind == "cards" else Model._fields
    for name in given:
        if name not in fields:
            raise UserRowError(f'{place}: unknown field "{name}"; known: {", ".join(fields)}')
    for name in ("id", "name") if kind == "cards" else ("id", "hub_id", "architecture"):
        if not isinstance(given.get(name), str):
            raise UserRowError(f"{place}: {name} is missing")
    row = dict.fromkeys(fields)
    row |= (_card_defaults(given) if kind == "cards" else _MODEL_DEFAULTS) | given
    if kind == "models" and row["parameters"] is None:
        row["parameters"] = _counted(row)
    _refuse_bad(kind, row, place)
    return row


def _counted(row: Row) -> int | None:
    """Parameters by the sizes of the row; None where they do not determine them."""
    from hwdb.load import model_from
    from hwdb.rules import recomputed_parameters

    try:
        return recomputed_parameters(model_from(row))
    except (TypeError, ValueError, KeyError):
        return None


def _card_defaults(given: Row) -> Row:
    gib = given.get("memory_marketing_gb")
    capability = given.get("compute_capability") or (0, 0)
    return {
        **_CARD_DEFAULTS,
        "nvml_names": [given["name"]],
        "memory_bytes": int(gib * _GIB) if isinstance(gib, int | float) else None,
        "supports_bf16": tuple(capability) >= (8, 0),
        "supports_flash_attention2": "yes" if tuple(capability) >= (8, 0) else "no",
        "supports_fp8": tuple(capability) >= (8, 9),
    }


def _refuse_bad(kind: UserKind, row: Row, place: str) -> None:
    from hwdb.load import card_from, model_from, read_file
    from hwdb.rules import problems_with

    shipped = read_file(kind)["rows"]
    for name, value in row.items():
        kinds = {_kind(known.get(name)) for known in shipped}
        if value is not None and _kind(value) not in kinds:
            expected = " or ".join(sorted(kinds - {"null"}))
            raise UserRowError(f"{place}: {row['id']}: {name} must be {expected}, not {value!r}")
    try:
        problems = problems_with(card_from(row) if kind == "cards" else model_from(row))
    except (TypeError, ValueError, KeyError) as unreadable:
        always = [name for name in row if all(known.get(name) is not None for known in shipped)]
        missing = [name for name in always if row[name] is None]
        problems = [f"{', '.join(missing)} missing" if missing else f"cannot be read: {unreadable}"]
    if not problems and kind == "models" and row["parameters"] is None:
        problems.append("parameters missing: its architecture does not say how to count them")
    taken = [known for known in shipped if known["id"] == row["id"]]
    if taken:
        problems.append("hwdb has a row with this id already")
    if problems:
        raise UserRowError(f"{place}: {row['id']}: {problems[0]}")


_KINDS = {
    bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list",
    dict: "an object",
}  # fmt: skip


def _kind(value: object) -> str:
    """What JSON calls it."""
    return _KINDS.get(type(value), "null")
