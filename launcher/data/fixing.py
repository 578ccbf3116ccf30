"""The good rows of a source written to a new file, and a list of the rest beside it."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

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
    Raises UsageError when a file is there already, NoDisk when the disk is full.
    """
    rest = target.with_name(target.name + REST_SUFFIX)
    pictures = target.with_name(target.name + PICTURES_SUFFIX)
    written = left_out = good = 0
    stream = RowStream(source, decode=True)
    try:
        with target.open("x", encoding="utf-8") as rows, rest.open("x", encoding="utf-8") as list_:
            for checked in stream:
                found = checked.row
                if not isinstance(found, RowProblemError):
                    good += 1
                    if good - 1 not in repeats:
                        # Pictures that stood in the rows lie beside them then.
                        row = with_file(found, pictures.absolute())
                        rows.write(json.dumps(row, ensure_ascii=False) + "\n")
                        written += 1
                        continue
                    found = RowProblemError(None, "repeats an earlier row", "remove it")
                place = problem_at(stream.files[checked.file], checked.line, found)
                list_.write(place.describe() + "\n")
                left_out += 1
    except FileExistsError as error:
        raise UsageError(
            f"{error.filename} exists already and is left as it is", "name another file with --fix"
        ) from None
    except OSError as error:
        target.unlink(missing_ok=True)
        rest.unlink(missing_ok=True)
        raise NoDisk(f"{target}: cannot be written: {error.strerror}") from error
    return Fixed(written, left_out, rest)
