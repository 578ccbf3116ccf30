"""A table with a header: CSV with whichever separator it uses, or tabs."""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from launcher.data.dataset import Row
from launcher.data.problems import unusable_file
from launcher.data.recognise import KNOWN_FIELDS
from launcher.data.row_problem import RowProblemError

_SEPARATORS = (",", ";", "\t", "|")
_LONGEST_FIELD = 1 << 27
_BYTES_TO_GO_BACK = 1 << 26


def table_records(
    path: Path, file: IO[bytes], *, tabs: bool
) -> Iterator[tuple[int, Row | RowProblemError]]:
    """Each row with the line it starts on, as text by column name.

    Raises DataError when the header cannot be used.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    lines = _Lines(file)
    header = next(lines, None)
    if header is None:
        return
    separator = "\t" if tabs else max(_SEPARATORS, key=header.count)
    names = _known_names(next(csv.reader([header], delimiter=separator)))
    _check_header(path, names)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        start = lines.line + 1
        lines.begin_row()
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield start, RowProblemError(None, f"broken table row: {error}", "mend the quotes")
            # What a quote left open has swallowed are rows of their own.
            lines.go_back_to(start + 1)
            reader = csv.reader(lines, delimiter=separator, strict=True)
            continue
        if lines.damaged_line is not None:
            yield (
                lines.damaged_line,
                RowProblemError(None, "is not UTF-8", "save the file as UTF-8"),
            )
        elif len(values) == len(names):
            yield start, dict(zip(names, values, strict=True))
        elif values and any(value.strip() for value in values):
            yield start, _wrong_width(len(values), len(names), separator)


def _known_names(header: list[str]) -> list[str]:
    """Column names without the blanks around them, `Text` as the `text` it means."""
    names = [name.strip() for name in header]
    lower = [name.lower() for name in names]
    return [
        small if small in KNOWN_FIELDS and lower.count(small) == 1 else name
        for name, small in zip(names, lower, strict=True)
    ]


def _check_header(path: Path, names: list[str]) -> None:
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise unusable_file(path, f'has two columns called "{doubled[:20]}"', "rename one of them")
    if not any(name.strip() for name in names):
        raise unusable_file(path, "has no column names in line 1", "write them there: text,label")


def _wrong_width(found: int, expected: int, separator: str) -> RowProblemError:
    shown = "tab" if separator == "\t" else f'"{separator}"'
    return RowProblemError(
        None,
        f"has {found} {'column' if found == 1 else 'columns'}, the header has {expected}",
        f"quote a field that holds {shown}, or remove the row",
    )


class _Lines:
    """Decoded lines that know their number; bytes that are no UTF-8 mark their line."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._of_row: list[bytes] = []
        self._bytes_of_row = 0
        self._again: deque[bytes] = deque()
        self.line = 0
        self.damaged_line: int | None = None

    def begin_row(self) -> None:
        """The next line starts a row."""
        self._of_row.clear()
        self._bytes_of_row = 0
        self.damaged_line = None

    def go_back_to(self, line: int) -> None:
        """Give out the lines of this row again from `line` on, if they are not too many."""
        passed = self.line + 1 - line
        if passed and self._bytes_of_row <= _BYTES_TO_GO_BACK:
            self._again.extendleft(reversed(self._of_row[-passed:]))
            self.line = line - 1

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        raw = self._again.popleft() if self._again else self._file.readline()
        if not raw:
            raise StopIteration
        self.line += 1
        self._bytes_of_row += len(raw)
        if self._bytes_of_row <= _BYTES_TO_GO_BACK:
            self._of_row.append(raw)
        if self.line == 1:
            raw = raw.removeprefix(codecs.BOM_UTF8)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            self.damaged_line = self.line
            return raw.decode("utf-8", errors="replace")
