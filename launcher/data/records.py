"""One file as a stream of objects, each with its line, or with what is wrong on that line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import IO, NamedTuple

from launcher.data.dataset import Row
from launcher.data.digest import FileDigest
from launcher.data.file_kind import Kind, foreign_kind, is_parquet, kind_of, mend
from launcher.data.json_document import document_records, is_one_line
from launcher.data.json_line import parsed_line
from launcher.data.opening import opened
from launcher.data.plain_text import paragraph_records
from launcher.data.problems import unusable_file
from launcher.data.row_problem import RowProblemError
from launcher.data.table import table_records
from launcher.errors import MissingHere

_UTF8_BOM = b"\xef\xbb\xbf"


class Record(NamedTuple):
    """One object of a file before its layout is looked at."""

    line: int
    """Counted from 1; the row's number where `numbers_rows` says so."""
    fields: Row | RowProblemError
    has_escapes: bool = True
    """Whether a lone surrogate or NUL may have got past the decoder."""


def records_of(path: Path, digest: FileDigest | None = None) -> Iterator[Record]:
    """Every object of a file, blank lines left out; `digest` takes its bytes.

    Raises DataError when the file as a whole cannot be read.
    """
    if digest is not None and is_parquet(path):
        # It is read here and there, not from front to back.
        digest.whole_file(path)
        digest = None
    with opened(path, digest) as (file, head):
        foreign = foreign_kind(path, head)
        if foreign is not None:
            raise unusable_file(path, f"is {foreign}", *mend(foreign))
        yield from _records(path, file, kind_of(path, head))


def numbers_rows(path: Path) -> bool:
    """Whether a Record's number is that of its row, since the file has no lines to name."""
    if is_parquet(path):
        return True
    with opened(path) as (file, head):
        if kind_of(path, head) != "json":
            return False
        return is_one_line(file.read().decode("utf-8-sig", "replace"))


def line_records(lines: Iterator[tuple[int, bytes]]) -> Iterator[Record]:
    """Numbered lines of JSON."""
    for number, raw in lines:
        if number == 1:
            raw = raw.removeprefix(_UTF8_BOM)  # noqa: PLW2901
        if raw.isspace() or not raw:
            continue
        try:
            yield Record(number, parsed_line(raw), b"\\u" in raw)
        except RowProblemError as problem:
            yield Record(number, problem)


def _records(path: Path, file: IO[bytes], kind: Kind) -> Iterator[Record]:
    if kind == "jsonl":
        yield from line_records(enumerate(file, start=1))
    elif kind == "json":
        for line, fields in document_records(path, file):
            yield Record(line, fields)
    elif kind in ("csv", "tsv"):
        for line, fields in table_records(path, file, tabs=kind == "tsv"):
            yield Record(line, fields)
    elif kind == "text":
        for line, fields in paragraph_records(file):
            yield Record(line, fields)
    elif kind == "image":
        raise unusable_file(path, "is a picture", "name the folder with one folder for each class")
    else:
        yield from _parquet(path, file)


def _parquet(path: Path, file: IO[bytes]) -> Iterator[Record]:
    try:
        from launcher.data.arrow import parquet_rows  # pyarrow: about 60 ms
    except ImportError:
        raise MissingHere(
            "reading Parquet needs the package pyarrow, not installed here", "pip install pyarrow"
        ) from None
    if is_parquet(path):
        for number, fields in parquet_rows(path):
            yield Record(number, fields)
        return
    # Packed: it is read here and there, so all of it must be unpacked first.
    with TemporaryFile() as unpacked:
        copyfileobj(file, unpacked)
        for number, fields in parquet_rows(path, unpacked):
            yield Record(number, fields)
