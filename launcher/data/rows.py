"""A data file becomes checked rows, or an error that names each bad line."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import IO

from launcher.data.dataset import LAYOUT_FIELDS, DataSet, Layout, Row
from launcher.data.file_kind import HEAD_BYTES, foreign_kind, mend
from launcher.data.json_line import parsed_line
from launcher.data.problems import Problem, bad_rows, unusable_file
from launcher.data.row_check import RowProblemError, checked_row, layout_of
from launcher.errors import DataError

PROBLEM_LIMIT = 20
"""Bad rows after which reading stops: more would not help a person."""

_UTF8_BOM = b"\xef\xbb\xbf"


def read_data(path: Path) -> DataSet:
    """Read and check a JSON Lines file in one pass.

    Blank lines and a byte order mark are skipped. Raises DataError that names the line of
    each bad row, the first PROBLEM_LIMIT of them.
    """
    try:
        with path.open("rb") as file:
            kind = foreign_kind(path, file.peek(HEAD_BYTES)[:HEAD_BYTES])
            if kind is not None:
                raise unusable_file(path, f"is {kind}", *mend(kind))
            return _read_lines(path, file)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", "check the path given with --data") from None
    except IsADirectoryError:
        raise DataError(f"{path}: is a folder, not a file", "name one .jsonl file in it") from None
    except PermissionError:
        raise DataError(f"{path}: permission denied", f"try: chmod u+r {path}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def _read_lines(path: Path, file: IO[bytes]) -> DataSet:
    digest = hashlib.sha256()
    bytes_read = 0
    reading = _Reading()
    for number, raw in enumerate(file, start=1):
        digest.update(raw)
        bytes_read += len(raw)
        reading.take(number, raw)
        if len(reading.problems) == PROBLEM_LIMIT:
            break
    if reading.problems:
        raise bad_rows(
            path,
            reading.problems,
            stopped=len(reading.problems) == PROBLEM_LIMIT,
            layout_known=reading.layout is not None,
        )
    if reading.layout is None:
        raise unusable_file(path, "has only blank lines" if bytes_read else "is empty")
    return DataSet(
        path=path,
        layout=reading.layout,
        rows=tuple(reading.rows),
        row_lines=tuple(reading.row_lines),
        bytes_read=bytes_read,
        sha256=digest.hexdigest(),
        notes=reading.notes(),
    )


class _Reading:
    """What has been seen of a file so far."""

    def __init__(self) -> None:
        self.layout: Layout | None = None
        self.rows: list[Row] = []
        self.row_lines: list[int] = []
        self.problems: list[Problem] = []
        self._unused_fields: dict[str, int] = {}

    def take(self, number: int, raw: bytes) -> None:
        """Add the row of one line, or its problem; a blank line is neither."""
        if number == 1:
            raw = raw.removeprefix(_UTF8_BOM)
        if not raw.strip():
            return
        try:
            candidate = parsed_line(raw)
            layout = self._expected_layout(candidate)
            row = checked_row(candidate, layout, has_escapes=b"\\u" in raw)
        except RowProblemError as problem:
            self.problems.append(
                Problem(line=number, field=problem.field, reason=problem.reason, fix=problem.fix)
            )
            return
        self.layout = layout
        self.rows.append(row)
        self.row_lines.append(number)
        self._note_unused(candidate, row, number)

    def notes(self) -> tuple[str, ...]:
        """One note on the fields nothing is learned from, where there are any."""
        if not self._unused_fields:
            return ()
        named = ", ".join(
            f'"{field}" (first in line {line})' for field, line in self._unused_fields.items()
        )
        return (f"nothing is learned from these fields: {named}",)

    def _expected_layout(self, candidate: Row) -> Layout:
        found = layout_of(candidate)
        if self.layout is None:
            if found is None:
                raise RowProblemError(None, _no_layout_reason(candidate), None)
            return found
        fields = LAYOUT_FIELDS[self.layout]
        if any(field in candidate for field in fields):
            return self.layout
        if found is None:
            raise RowProblemError(fields[0], "is missing", "add it or remove the row")
        raise RowProblemError(
            None,
            f"mixed layouts: this row is {_shown(found)}, "
            f"line {self.row_lines[0]} is {_shown(self.layout)}",
            "keep one layout in a file",
        )

    def _note_unused(self, candidate: Row, row: Row, number: int) -> None:
        unused = [field for field in candidate if field not in row]
        for given, kept in zip(
            candidate.get("messages", ()), row.get("messages", ()), strict=False
        ):
            unused += [f"messages[].{field}" for field in given if field not in kept]
        for field in unused:
            self._unused_fields.setdefault(field, number)


def _shown(layout: Layout) -> str:
    return " and ".join(f'"{field}"' for field in LAYOUT_FIELDS[layout])


def _no_layout_reason(candidate: Row) -> str:
    wanted = ", or ".join(_shown(layout) for layout in LAYOUT_FIELDS)
    found = ", ".join(ascii(field[:20]) for field in list(candidate)[:5]) or "nothing"
    return f"has none of the fields {wanted}; found {found}"
