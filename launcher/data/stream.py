"""Rows of a source one after the other, each checked against the layout of the first ones."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from launcher.data.dataset import Row
from launcher.data.digest import FileDigest
from launcher.data.images import pictures_of, problem_with_head, problem_with_picture
from launcher.data.private import is_private
from launcher.data.recognise import SHAPES, Shape, meant_shape, shape_of_rows, shown_fields
from launcher.data.records import Record, records_of
from launcher.data.row_check import checked_row
from launcher.data.row_problem import RowProblemError
from launcher.data.sources import Source

ROWS_TO_JUDGE_BY = 100
"""Records at the front whose fields decide on the layout."""

IMAGE_SHAPE = next(shape for shape in SHAPES if shape.layout == "image_label")
TEXT_SHAPE = next(shape for shape in SHAPES if shape.form == "text")


class Checked(NamedTuple):
    """One record after its check."""

    file: int
    """Index into the files of the source."""
    line: int
    candidate: Row | None
    """As it stood in the file; None where it could not be decoded."""
    row: Row | RowProblemError


class RowCheck:
    """The check that every record of a file goes through, once the layout is known."""

    def __init__(
        self, shape: Shape | None, first_place: str, folder: Path, *, decode: bool = False
    ) -> None:
        self.shape = shape
        self._decode = decode
        self._first_place = first_place
        self._folder = folder

    def __call__(self, record: Record) -> Row | RowProblemError:
        """The row, or what is wrong with it."""
        candidate = record.fields
        if isinstance(candidate, RowProblemError):
            return candidate
        shape = self.shape
        try:
            if shape is None:
                return self._without_shape(candidate, record)
            if not any(name in candidate for name in shape.fields):
                return self._other_layout(candidate, shape)
            return checked_row(
                candidate,
                shape,
                has_escapes=record.has_escapes,
                folder=self._folder,
                decode=self._decode,
            )
        except RowProblemError as problem:
            return problem

    def _without_shape(self, candidate: Row, record: Record) -> Row | RowProblemError:
        """No record has every field of any layout; say of each what it lacks."""
        if "chosen" in candidate and "rejected" in candidate:
            return RowProblemError(
                None,
                "is a pair of a chosen and a rejected answer, which cannot be learned from here",
                "write the prompt with the chosen answer as prompt and completion",
            )
        meant = meant_shape(candidate)
        if meant is None:
            return RowProblemError(None, *_no_layout(candidate))
        return checked_row(candidate, meant, has_escapes=record.has_escapes, folder=self._folder)

    def _other_layout(self, candidate: Row, shape: Shape) -> RowProblemError:
        found = meant_shape(candidate)
        if found is None:
            return RowProblemError(shape.fields[0], "is missing", "add it or remove the row")
        return RowProblemError(
            None,
            f"mixed layouts: this row is {shown_fields(found)}, "
            f"{self._first_place} is {shown_fields(shape)}",
            "keep one layout in a file",
        )


def judged_shape(records: list[Record]) -> tuple[Shape | None, int]:
    """The layout of the first records, and the line of the first one that has it."""
    candidates = [record for record in records if isinstance(record.fields, dict)]
    shape = shape_of_rows(record.fields for record in candidates)  # type: ignore[misc]
    if shape is None:
        return None, 0
    line = next(
        record.line
        for record in candidates
        if all(name in record.fields for name in shape.fields)  # type: ignore[operator]
    )
    return shape, line


class RowStream:
    """Iterates over the checked records of a source; `shape` is known from the first one on."""

    def __init__(
        self,
        source: Source,
        digest: FileDigest | None = None,
        *,
        labels_aside: bool = False,
        decode: bool = False,
    ) -> None:
        """Nothing is read yet.

        `labels_aside` reads rows of text and label as text alone; `decode` looks at all of each
        picture, not at its first bytes alone.
        """
        self._source = source
        self._digest = digest
        self._labels_aside = labels_aside
        self._decode = decode
        self.shape: Shape | None = IMAGE_SHAPE if source.classes else None
        self.files: tuple[Path, ...] = source.files

    def __iter__(self) -> Iterator[Checked]:
        if self._source.classes:
            yield from self._pictures()
            return
        check: RowCheck | None = None
        for index, path in enumerate(self._source.files):
            records = records_of(path, self._digest)
            head: list[Record] = []
            if check is None:
                head = list(islice(records, ROWS_TO_JUDGE_BY))
                if not head:
                    continue
                check = self._check_for(head, path)
            for record in chain(head, records):
                candidate = record.fields if isinstance(record.fields, dict) else None
                yield Checked(index, record.line, candidate, check(record))

    def _check_for(self, head: list[Record], path: Path) -> RowCheck:
        shape, line = judged_shape(head)
        if self._labels_aside and shape is not None and shape.form == "text_label":
            shape = TEXT_SHAPE
        self.shape = shape
        place = f"line {line}" if len(self._source.files) == 1 else f"{path}:{line}"
        return RowCheck(shape, place, path.parent, decode=self._decode)

    def _pictures(self) -> Iterator[Checked]:
        pictures = list(pictures_of(self._source.classes))
        self.files = tuple(path for path, _ in pictures)
        for index, ((path, label), problem) in enumerate(
            zip(pictures, self._problems(self.files), strict=True)
        ):
            if self._digest is not None and problem is None:
                self._digest.whole_file(path)
            yield Checked(
                index,
                0,
                None,
                {"image": str(path), "label": label}
                if problem is None
                else RowProblemError("image", problem, "replace or remove the file"),
            )

    def _problems(self, pictures: Sequence[Path]) -> Iterator[str | None]:
        """What is wrong with each picture, in their order."""
        if not self._decode:
            yield from map(problem_with_head, pictures)
            return
        # Pillow decodes without Python's lock.
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            yield from pool.map(problem_with_picture, pictures)


def _no_layout(candidate: Row) -> tuple[str, str]:
    """What the row lacks, and what to do about it."""
    wanted = ", or ".join(
        f'"{first}" and "{second}"' if second else f'"{first}"'
        for first, second in (
            *(("messages", ""), ("prompt", "completion"), ("instruction", "output")),
            *(("text", "label"), ("image", "label"), ("text", "")),
        )
    )
    # The first row of a table without a header stands where names should.
    found = ", ".join(map(_shown_name, list(candidate)[:5])) or "nothing"
    return f"has none of the fields {wanted}; found {found}", _way_to_a_layout(candidate)


def _shown_name(field: str) -> str:
    return "private text" if is_private(field) else ascii(field[:20])


def _way_to_a_layout(candidate: Row) -> str:
    inner = next((name for name, value in candidate.items() if isinstance(value, dict)), None)
    if inner is not None and meant_shape(candidate[inner]) is not None:
        return f"write what is in {inner[:20]!a} as the row itself"
    listed = next((name for name, value in candidate.items() if _is_list_of_rows(value)), None)
    if listed is not None:
        return f"write the rows in {listed[:20]!a} as lines of their own"
    return "rename its fields to these; in a table the first line names them"


def _is_list_of_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)
