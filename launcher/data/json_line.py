"""One line of bytes becomes a JSON object, or a reason that shows the place in the line."""

from __future__ import annotations

import json

from launcher.data.dataset import Row
from launcher.data.private import is_private
from launcher.data.row_problem import RowProblemError, json_type

_EXCERPT_CHARACTERS = 40
_LOOKED_AROUND = 4000


def parsed_line(raw: bytes) -> Row:
    """The JSON object on one line of a file. Raises RowProblemError."""
    if b"\x00" in raw:
        raise RowProblemError(
            None, f"holds a NUL byte at byte {raw.index(0)} of the line", "remove the byte"
        )
    try:
        line = raw.rstrip().decode("utf-8")
    except UnicodeDecodeError as error:
        raise RowProblemError(
            None, f"is not UTF-8 at byte {error.start} of the line", "save the file as UTF-8"
        ) from None
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        place = f"column {error.colno}"
        near = excerpt(line, error.pos)
        raise RowProblemError(
            None,
            f"broken JSON at {place}: {mistake(error)}, near {near}",
            "mend or remove the row",
        ) from None
    except RecursionError:
        raise RowProblemError(None, "is nested too deeply", "flatten or remove the row") from None
    except ValueError:
        raise RowProblemError(None, "holds a number of too many digits", "shorten it") from None
    if not isinstance(value, dict):
        raise RowProblemError(
            None, f"must be a JSON object, not {json_type(value)}", "write one object a line"
        )
    return value


def mistake(error: json.JSONDecodeError) -> str:
    """The decoder's words without the `at` that leads up to its own line and column."""
    return error.msg.removesuffix(" at").removesuffix(" starting")


def excerpt(line: str, position: int) -> str:
    """The text around a position, in quotes, without anything a terminal would obey.

    Hidden where secrets or personal data stand near it.
    """
    if is_private(line[max(0, position - _LOOKED_AROUND) : position + _LOOKED_AROUND]):
        return "text that seems private and is not shown"
    start = max(0, position - _EXCERPT_CHARACTERS // 2)
    text = line[start : start + _EXCERPT_CHARACTERS]
    return "'" + "".join(letter if letter.isprintable() else " " for letter in text) + "'"
