"""Data becomes checked rows, or an error that names each bad line."""

from __future__ import annotations

from array import array
from pathlib import Path

from launcher.data.dataset import DataSet, Row
from launcher.data.digest import FileDigest, key_of
from launcher.data.embedded import with_file
from launcher.data.problems import Problem, bad_rows, unusable_file
from launcher.data.recognise import Shape, unused_fields
from launcher.data.row_problem import RowProblemError
from launcher.data.sources import Source, source_of
from launcher.data.stream import Checked, RowStream
from launcher.errors import DataError

PROBLEM_LIMIT = 20
"""Bad rows after which reading stops: more would not help a person."""


def read_data(path: Path, *, labels_aside: bool = False) -> DataSet:
    """Read and check what `path` names in one pass: a file, a folder or a pattern.

    `labels_aside` reads text with labels as text alone. Raises DataError that names the place
    of each bad row, the first PROBLEM_LIMIT of them.
    """
    return read_source(source_of(path), labels_aside=labels_aside)


def held_out_data(data: DataSet, path: Path | None = None) -> DataSet | None:
    """The rows to measure on, from `path` or what the folder of `data` sets aside; else None.

    They must be of the same layout, with labels that occur in `data`. Raises DataError.
    """
    source = source_of(path) if path is not None else source_of(data.path).held_out
    if source is None:
        return None
    try:
        other = read_source(source, labels_aside=data.layout == "text")
    except DataError as failure:
        raise DataError(f"held-out rows: {failure.message}", *failure.hints) from failure
    if other.layout != data.layout:
        raise DataError(
            f"held-out rows: {other.path}: its rows are {other.layout}, those of {data.path} are "
            f"{data.layout}",
            "measure on rows of the same layout",
        )
    known = set(data.classes)
    for index, row in enumerate(other.rows):
        if "label" in row and row["label"] not in known:
            raise DataError(
                f"{other.place(index)}: label: {row['label'][:40]!a} does not occur in {data.path}",
                "correct it, or add rows of that class to learn from",
            )
    return other


def read_source(source: Source, *, labels_aside: bool = False) -> DataSet:
    """Read and check the rows of one source; for errors see `read_data`."""
    digest = FileDigest()
    stream = RowStream(source, digest, labels_aside=labels_aside)
    reading = _Reading()
    for checked in stream:
        reading.take(checked, stream)
        if len(reading.problems) == PROBLEM_LIMIT:
            break
    if reading.problems:
        raise bad_rows(
            reading.problems,
            stopped=len(reading.problems) == PROBLEM_LIMIT,
            layout_known=bool(reading.rows),
        )
    if stream.shape is None or not reading.rows:
        blank = "has only blank lines" if digest.bytes_read else "is empty"
        if source.path.is_fifo():
            blank = "is a pipe without rows, or one that was read before"
        raise unusable_file(source.path, blank)
    return DataSet(
        path=source.path,
        files=stream.files,
        layout=stream.shape.layout,
        found_as=stream.shape.name,
        rows=tuple(reading.rows),
        row_lines=tuple(reading.row_lines),
        row_files=tuple(reading.row_files),
        row_keys=tuple(reading.row_keys),
        bytes_read=digest.bytes_read,
        sha256=digest.hexdigest(),
        notes=reading.notes(),
    )


class _Reading:
    """What has been seen so far."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.row_lines = array("Q")
        self.row_files = array("L")
        self.row_keys = array("Q")
        self.problems: list[Problem] = []
        self._unused: dict[str, int] = {}

    def take(self, checked: Checked, stream: RowStream) -> None:
        """Add a row, or its problem."""
        if isinstance(checked.row, RowProblemError):
            self.problems.append(problem_at(stream.files[checked.file], checked.line, checked.row))
            return
        self.rows.append(with_file(checked.row))
        self.row_lines.append(checked.line)
        self.row_files.append(checked.file)
        self.row_keys.append(key_of(checked.row))
        if checked.candidate is not None and stream.shape is not None:
            for field in _unused(checked.candidate, stream.shape):
                self._unused.setdefault(field, checked.line)

    def notes(self) -> tuple[str, ...]:
        """One note on the fields nothing is learned from, where there are any."""
        if not self._unused:
            return ()
        named = ", ".join(
            f'"{field}" (first in line {line})' for field, line in self._unused.items()
        )
        return (f"nothing is learned from these fields: {named}",)


def problem_at(file: Path, line: int, found: RowProblemError) -> Problem:
    """What is wrong with a row, with its place."""
    return Problem(file=file, line=line, field=found.field, reason=found.reason, fix=found.fix)


def _unused(candidate: Row, shape: Shape) -> list[str]:
    unused = unused_fields(candidate, shape)
    if shape.form == "messages":
        for given in candidate["messages"]:
            unused += [f"messages[].{name}" for name in given if name not in ("role", "content")]
    return unused
