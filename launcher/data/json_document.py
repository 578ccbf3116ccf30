"""A file that is one JSON document: a list of objects, or an object that holds such a list."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from launcher.data.dataset import Row
from launcher.data.json_line import excerpt, mistake
from launcher.data.problems import unusable_file
from launcher.data.row_problem import RowProblemError, json_type

_SPACE = re.compile(r"[ \t\r\n]*")
_MORE_ROWS = re.compile(
    r'[ \t\r\n]*,[ \t\r\n]*("(?:train(?:ing)?|test|valid(?:ation)?|val|dev|eval|data|rows)")'
    r"[ \t\r\n]*:[ \t\r\n]*\[[ \t\r\n]*\{"
)
_LIST_START = re.compile(r'"[^"\\]*"[ \t\r\n]*:[ \t\r\n]*\[[ \t\r\n]*(?=\{)')


def document_records(path: Path, file: IO[bytes]) -> Iterator[tuple[int, Row | RowProblemError]]:
    """Each object of the list with the line it starts on; the first mistake ends the list.

    Where all of the document is one line, rows are numbered instead, as in a Parquet file.

    Raises DataError when there is no list of objects in it.
    """
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise unusable_file(
            path, f"is not UTF-8 at byte {error.start}", "save the file as UTF-8"
        ) from None
    return _records(text, _start_of_list(path, text))


def _start_of_list(path: Path, text: str) -> int:
    start = _after_space(text, 0)
    if text[start : start + 1] == "[":
        return start + 1
    inner = _LIST_START.search(text, start)
    if inner is None:
        raise unusable_file(path, "is one JSON object without a list of rows in it")
    return inner.end()


def _records(text: str, position: int) -> Iterator[tuple[int, Row | RowProblemError]]:
    decoder = json.JSONDecoder()
    on_one_line = is_one_line(text)
    line, counted_to, row = 1, 0, 0
    position = _after_space(text, position)
    while position < len(text) and text[position] != "]":
        line += text.count("\n", counted_to, position)
        counted_to = position
        try:
            value, end = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            yield error.lineno, _broken(error, text)
            return
        except RecursionError:
            yield (
                line,
                RowProblemError(None, "is nested too deeply", "flatten or remove the row"),
            )
            return
        row += 1
        fields = value if isinstance(value, dict) else _no_object(value)
        yield row if on_one_line else line, fields
        position = _after_space(text, end)
        if text[position : position + 1] == ",":
            position = _after_space(text, position + 1)
        elif text[position : position + 1] != "]":
            yield (
                text.count("\n", 0, position) + 1,
                RowProblemError(
                    None, f"needs a comma or ] near {excerpt(text, position)}", "mend the list"
                ),
            )
            return
    more = _MORE_ROWS.match(text, position + 1)
    if more is not None:
        yield (
            row + 1 if on_one_line else text.count("\n", 0, more.start(1)) + 1,
            RowProblemError(
                None,
                f"starts a second list, {more.group(1)[:40]}, which is not read",
                "write each list to a file of its own, such as train.json and test.json",
            ),
        )
    if position >= len(text):
        last = text.count("\n", 0, len(text.rstrip())) + 1
        yield last, RowProblemError(None, "ends before its list does", "add the missing ]")


def is_one_line(text: str) -> bool:
    """Whether nothing but blanks follows the first line that says anything."""
    end = text.find("\n", _after_space(text, 0))
    return end < 0 or _after_space(text, end) == len(text)


def _after_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _no_object(value: object) -> RowProblemError:
    return RowProblemError(
        None, f"must be a JSON object, not {json_type(value)}", "write a list of objects"
    )


def _broken(error: json.JSONDecodeError, text: str) -> RowProblemError:
    return RowProblemError(
        None,
        f"broken JSON at column {error.colno}: {mistake(error)}, near {excerpt(text, error.pos)}",
        "mend or remove the row",
    )
