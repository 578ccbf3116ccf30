"""What is wrong with one row, and the checks that every text in a row goes through."""

from __future__ import annotations

from typing import Any

_JSON_TYPES: tuple[tuple[type, str], ...] = (
    (type(None), "null"),
    (bool, "true or false"),
    (int, "a number"),
    (float, "a number"),
    (str, "text"),
    (list, "a list"),
    (dict, "an object"),
)


class RowProblemError(Exception):
    """A row cannot be used: the field (None: the whole row), the reason and the fix."""

    def __init__(self, field: str | None, reason: str, fix: str | None) -> None:
        super().__init__(field, reason, fix)
        self.field = field
        self.reason = reason
        self.fix = fix


def json_type(value: object) -> str:
    """The value's type in the words of a data file: `a list`."""
    # A Parquet file holds more types than JSON: dates, decimals, bytes.
    return next((name for kind, name in _JSON_TYPES if isinstance(value, kind)), "binary data")


def checked_text(value: Any, field: str, *, has_escapes: bool) -> str:
    """The value where it is text that can be written. Raises RowProblemError."""
    if not isinstance(value, str):
        raise RowProblemError(
            field, f"must be text, not {json_type(value)}", "write it as a string"
        )
    if has_escapes:
        _refuse_unwritable(value, field)
    return value


def _refuse_unwritable(text: str, field: str) -> None:
    if "\x00" in text:
        raise RowProblemError(field, "holds a NUL character", r"remove the \u0000")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        surrogate = f"\\u{ord(text[error.start]):04x}"
        raise RowProblemError(
            field, f"holds half a character, {surrogate}", "write the pair or remove it"
        ) from None
