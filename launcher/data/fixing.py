"""The good rows of a source written to a new file, and a list of the rest beside it."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from launcher.data.problems import Problem
from launcher.data.row_problem import RowProblemError
from launcher.data.sources import Source
from launcher.data.stream import RowStream
from launcher.errors import NoDisk, UsageError

REST_SUFFIX = ".rest.txt"


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
    written = left_out = good = 0
    stream = RowStream(source)
    try:
        with target.open("x", encoding="utf-8") as rows, rest.open("x", encoding="utf-8") as list_:
            for checked in stream:
                row = checked.row
                problem = row if isinstance(row, RowProblemError) else None
                if problem is None:
                    if good in repeats:
                        problem = RowProblemError(None, "repeats an earlier row", "remove it")
                    good += 1
                if problem is None:
                    rows.write(json.dumps(row, ensure_ascii=False) + "\n")
                    written += 1
                    continue
                place = Problem(
                    file=stream.files[checked.file],
                    line=checked.line,
                    field=problem.field,
                    reason=problem.reason,
                    fix=problem.fix,
                )
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
