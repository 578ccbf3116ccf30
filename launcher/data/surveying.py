"""A whole source surveyed: in this process, or by several where it is one large file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from launcher.data.digest import key_of, text_of
from launcher.data.file_kind import kind_of, packing_of
from launcher.data.near_duplicates import HeldOutIndex, NearRepeat
from launcher.data.opening import opened
from launcher.data.problems import place_in
from launcher.data.recognise import Shape
from launcher.data.records import Record, line_records
from launcher.data.row_problem import RowProblemError
from launcher.data.sources import Source
from launcher.data.split import is_held_out
from launcher.data.stream import ROWS_TO_JUDGE_BY, Checked, RowCheck, RowStream, judged_shape
from launcher.data.survey import Survey

_LARGE_BYTES = 64 << 20
_PART_BYTES = 32 << 20
_MOST_WORKERS = 4

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """What a source holds."""

    survey: Survey
    shape: Shape | None
    files: tuple[Path, ...]

    def place(self, row: int) -> tuple[int, int]:
        """(file, line) of a good row."""
        return self.survey.files[row], self.survey.lines[row]

    def describe(self, row: int) -> str:
        """`train.jsonl:12` for a good row."""
        file, line = self.place(row)
        return place_in(self.files[file], line)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A range of bytes of a file; the lines that start in it belong to it."""

    path: Path
    start: int
    end: int
    shape: Shape | None
    first_place: str


def survey_source(source: Source) -> Surveyed:
    """Look at every row. Raises DataError when a file as a whole cannot be read."""
    parts = _parts_of(source)
    if parts:
        total = Survey()
        lines = 0
        for survey, count in _in_processes(_survey_part, parts):
            total.add(survey, line_shift=lines)
            lines += count
        total.settle()
        return Surveyed(survey=total, shape=parts[0].shape, files=source.files)
    survey, stream = Survey(), RowStream(source, decode=True)
    for checked in stream:
        survey.take(checked, stream.shape, has_escapes=True)
    survey.settle()
    return Surveyed(survey=survey, shape=stream.shape, files=stream.files)


def near_repeats(source: Source, index: HeldOutIndex, fraction: float) -> list[NearRepeat]:
    """Rows outside the held-out `fraction` that nearly repeat a row of `index`."""
    if not index.rows_of:
        return []
    parts = _parts_of(source)
    if not parts:
        return list(_near(RowStream(source), index, fraction))
    found, lines = [], 0
    for repeats, count in _in_processes(_NearPart(index, fraction), parts):
        found += [each._replace(line=each.line + lines) for each in repeats]
        lines += count
    return found


def _near(
    rows: Iterator[Checked] | RowStream, index: HeldOutIndex, fraction: float
) -> Iterator[NearRepeat]:
    for checked in rows:
        if isinstance(checked.row, RowProblemError):
            continue
        repeated = index.repeated_by(text_of(checked.row))
        if repeated is not None and not is_held_out(key_of(checked.row), fraction):
            yield NearRepeat(checked.file, checked.line, *repeated)


def _survey_part(part: _Part) -> tuple[Survey, int]:
    survey, lines = Survey(), _Lines(part)
    check = RowCheck(part.shape, part.first_place, part.path.parent, decode=True)
    for record in line_records(iter(lines)):
        survey.take(_checked(record, check), part.shape, has_escapes=record.has_escapes)
    return survey, lines.count


@dataclass(frozen=True, slots=True)
class _NearPart:
    index: HeldOutIndex
    fraction: float

    def __call__(self, part: _Part) -> tuple[list[NearRepeat], int]:
        lines = _Lines(part)
        check = RowCheck(part.shape, part.first_place, part.path.parent)
        hopeful = ((line, raw) for line, raw in lines if self.index.may_be_repeated_by(raw))
        rows = (_checked(record, check) for record in line_records(hopeful))
        return list(_near(rows, self.index, self.fraction)), lines.count


def _checked(record: Record, check: RowCheck) -> Checked:
    candidate = record.fields if isinstance(record.fields, dict) else None
    return Checked(0, record.line, candidate, check(record))


class _Lines:
    """The numbered lines that start in a part; `count` is known at the end."""

    def __init__(self, part: _Part) -> None:
        self._part = part
        self.count = 0

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        part = self._part
        with part.path.open("rb", buffering=1 << 20) as file:
            position = part.start
            if part.start:
                file.seek(part.start - 1)
                position += len(file.readline()) - 1
            for raw in file if position < part.end else ():
                self.count += 1
                yield self.count, raw
                position += len(raw)
                if position >= part.end:
                    return


def _parts_of(source: Source) -> list[_Part]:
    """Parts of one large file of JSON lines; none for anything else."""
    if len(source.files) != 1 or source.classes:
        return []
    path = source.files[0]
    if not path.is_file() or path.stat().st_size < _LARGE_BYTES:
        return []
    with opened(path) as (file, head):
        if kind_of(path, head) != "jsonl" or _is_packed(path):
            return []
        front = enumerate(islice(file, ROWS_TO_JUDGE_BY), start=1)
        shape, line = judged_shape(list(line_records(front)))
    size = path.stat().st_size
    return [
        _Part(
            path=path,
            start=start,
            end=min(start + _PART_BYTES, size),
            shape=shape,
            first_place=f"line {line}",
        )
        for start in range(0, size, _PART_BYTES)
    ]


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return packing_of(file.read(8)) is not None


def _in_processes(work: Callable[[_Part], Answer], parts: list[_Part]) -> Iterator[Answer]:
    """Answers in the order of the parts, few of them at a time in memory."""
    import multiprocessing

    workers = min(_MOST_WORKERS, len(os.sched_getaffinity(0)), len(parts))
    if workers == 1:
        yield from map(work, parts)
        return
    # spawn: a fork would copy the threads of a screen that asks.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_leave_ctrl_c) as pool:
        try:
            waiting = []
            remaining = iter(parts)
            waiting += [pool.submit(work, part) for part in islice(remaining, workers + 1)]
            while waiting:
                yield waiting.pop(0).result()
                waiting += [pool.submit(work, part) for part in islice(remaining, 1)]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _leave_ctrl_c() -> None:
    """The process that was started by a person answers to it."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
