"""The good rows of a source written to a new file, and a list of the rest beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from launcher.data.embedded import with_file
from launcher.data.row_problem import RowProblemError
from launcher.data.rows import problem_at
from launcher.data.sources import Source
from launcher.data.stream import RowStream
from launcher.errors import NoDisk, UsageError

REST_SUFFIX = ".rest.txt"
PICTURES_SUFFIX = ".pictures"


class Fixed(NamedTuple):
    """What was written."""

    rows: int
    left_out: int
    rest: Path
    """One line for each row that was left out: place, field, reason, fix."""


def write_good_rows(source: Source, target: Path, repeats: Collection[int]) -> Fixed:
    """Write the usable rows as JSON Lines, in the words of their layout.

    `repeats` are the good rows, counted from 0, that repeat an earlier one and are left out.
    Raises UsageError as `refuse_taken` does, NoDisk when the disk is full.
    """
    refuse_taken(target)
    rest = target.with_name(target.name + REST_SUFFIX)
    pictures = target.with_name(target.name + PICTURES_SUFFIX)
    with _written_beside(target, rest) as (rows, list_):
        return Fixed(*_write(source, rows, list_, repeats, pictures.absolute()), rest)


def refuse_taken(target: Path) -> None:
    """Raises UsageError where a file is there already, or no folder to write it in."""
    for path in (target, target.with_name(target.name + REST_SUFFIX)):
        if path.exists():
            raise UsageError(
                f"{path} exists already and is left as it is", "name another file with --fix"
            )
    if not target.parent.is_dir():
        raise UsageError(f"{target}: its folder is not there", "make it first")


def _write(
    source: Source, rows: IO[str], list_: IO[str], repeats: Collection[int], pictures: Path
) -> tuple[int, int]:
    """(rows written, rows left out)."""
    written = left_out = good = 0
    stream = RowStream(source, decode=True)
    for checked in stream:
        found = checked.row
        if not isinstance(found, RowProblemError):
            good += 1
            if good - 1 not in repeats:
                # Pictures that stood in the rows lie beside them then.
                row = with_file(found, pictures)
                if "image" in row:
                    # A path in a file is relative to that file, which may stand elsewhere.
                    row = {**row, "image": str(Path(row["image"]).absolute())}
                rows.write(json.dumps(row, ensure_ascii=False) + "\n")
                written += 1
                continue
            found = RowProblemError(None, "repeats an earlier row", "remove it")
        place = problem_at(stream.files[checked.file], checked.line, found)
        list_.write(place.describe() + "\n")
        left_out += 1
    return written, left_out


@contextmanager
def _written_beside(*targets: Path) -> Iterator[list[IO[str]]]:
    """Files that take their names once all is written; nothing is left of them otherwise."""
    made = [path.with_name(f".{path.name}.{os.getpid()}") for path in targets]
    try:
        with ExitStack() as stack:
            yield [stack.enter_context(path.open("w", encoding="utf-8")) for path in made]
        for path, target in zip(made, targets, strict=True):
            path.replace(target)
    except OSError as error:
        raise NoDisk(f"{targets[0]}: cannot be written: {error.strerror}") from error
    finally:
        for path in made:
            path.unlink(missing_ok=True)
