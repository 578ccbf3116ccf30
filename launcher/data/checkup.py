"""Everything there is to say about a data file: what it is, what is wrong, what to look at."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from launcher.data.dataset import Layout, ordered_labels
from launcher.data.duplicates import Repeat, repeats_in, shared_keys
from launcher.data.findings import Finding, Lookout, findings_of
from launcher.data.lengths import Lengths
from launcher.data.near_duplicates import HeldOutIndex
from launcher.data.problems import Problem, bad_rows, place_in, unusable_file
from launcher.data.records import numbers_rows
from launcher.data.row_lengths import lengths_of_source
from launcher.data.sources import Source, source_of
from launcher.data.split import is_held_out
from launcher.data.survey import Survey
from launcher.data.surveying import Surveyed, near_repeats, survey_source
from launcher.errors import DataError
from planner.advice.settings import FEWEST_ROWS_TO_HOLD_OUT
from planner.loop import held_out_share

_TEXTS_KEPT = 64
_PROBLEMS_NAMED = 20
Verdict = Literal["usable", "usable with warnings", "not usable as it is"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """The answer of `tlplan data`."""

    path: Path
    files: tuple[Path, ...]
    layout: Layout | None
    """None when no row has one."""
    found_as: str
    rows: int
    """Rows that can be used."""
    bad_rows: int
    bytes_on_disk: int
    problems: tuple[Problem, ...]
    """The first thousand bad rows."""
    findings: tuple[Finding, ...]
    lengths: Lengths | None
    """Tokens; None for pictures or without a usable row."""
    labels: tuple[tuple[str, int], ...]
    """Rows of each class, in the order in which classes are numbered."""
    held_out_rows: int
    held_out_how: str
    held_out_apart: bool
    """Whether a file or folder sets them aside; else they are some of the rows."""
    repeats: tuple[Repeat, ...]
    texts: tuple[str, ...]
    """A sample of what rows say, by chance."""
    unused_fields: tuple[tuple[str, int], ...]
    """Fields nothing is learned from, with the line of the first."""
    numbers_rows: bool
    """Whether places are numbers of rows: a Parquet file has no lines, some JSON files one."""

    @property
    def verdict(self) -> Verdict:
        """Whether a launch would take it."""
        if self.bad_rows or not self.rows:
            return "not usable as it is"
        warned = any(finding.level == "warning" for finding in self.findings)
        return "usable with warnings" if warned else "usable"


def check_up(
    path: Path,
    *,
    tokenizer_file: Path | None = None,
    held_out: Path | None = None,
    limit_tokens: int | None = None,
) -> Checkup:
    """Look at all of `path`: a file, a folder or a pattern.

    `held_out` names a file to measure on, in place of a share of the rows; `limit_tokens` is
    what a row may have before it is cut. Raises DataError when nothing can be read at all.
    """
    source = source_of(path)
    if not source.classes and path.exists() and not (path.is_file() or path.is_dir()):
        raise DataError(
            f"{path}: is a pipe or a device, and a check reads it more than once",
            "write it to a file first",
        )
    surveyed = survey_source(source)
    survey = surveyed.survey
    if not survey.records:
        raise unusable_file(path, "has no rows")
    measured_on = source_of(held_out) if held_out is not None else source.held_out
    repeats = repeats_in(survey.keys, survey.row_labels if survey.labels else ())
    lengths = None
    pictures = surveyed.shape is not None and surveyed.shape.layout == "image_label"
    if survey.rows and surveyed.shape is not None and not pictures:
        lengths = lengths_of_source(source, surveyed, tokenizer_file)
    apart = None if measured_on is None else _rows_apart(measured_on)
    fraction, held_out_rows, how = _held_out(survey, measured_on, apart)
    return Checkup(
        path=path,
        files=surveyed.files,
        layout=None if surveyed.shape is None else surveyed.shape.layout,
        found_as="" if surveyed.shape is None else surveyed.shape.name,
        rows=survey.rows,
        bad_rows=survey.bad_rows,
        bytes_on_disk=sum(file.stat().st_size for file in surveyed.files if file.is_file()),
        problems=_problems(surveyed),
        findings=tuple(
            findings_of(
                surveyed,
                Lookout(
                    repeats=repeats,
                    near=_leaks(source, surveyed, apart, fraction),
                    lengths=lengths,
                    limit_tokens=limit_tokens,
                    held_out_rows=held_out_rows,
                ),
            )
        ),
        lengths=lengths,
        labels=tuple((label, survey.labels[label]) for label in ordered_labels(set(survey.labels))),
        held_out_rows=held_out_rows,
        held_out_how=how,
        held_out_apart=measured_on is not None,
        repeats=tuple(repeats),
        texts=tuple(
            each.text.replace("\x1e", ": ").replace("\x1f", "\n")
            for each in heapq.nlargest(_TEXTS_KEPT, survey.sample)
        ),
        unused_fields=tuple(survey.unused.items()),
        numbers_rows=not source.classes and numbers_rows(surveyed.files[0]),
    )


def _problems(surveyed: Surveyed) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            file=surveyed.files[place.file],
            line=place.line,
            field=place.field,
            reason=place.reason,
            fix=place.fix,
        )
        for place in surveyed.survey.problems
    )


def _held_out(
    survey: Survey, measured_on: Source | None, apart: Surveyed | None
) -> tuple[float, int, str]:
    """(share held out of this data, rows to measure on, how they are chosen)."""
    if measured_on is not None and apart is not None:
        return 0.0, apart.survey.rows, f"the rows of {measured_on.path}"
    if survey.rows < FEWEST_ROWS_TO_HOLD_OUT:
        return 0.0, 0, f"none: at least {FEWEST_ROWS_TO_HOLD_OUT} good rows are needed"
    fraction = held_out_share(survey.rows)
    rows = sum(is_held_out(key, fraction) for key in survey.keys)
    return fraction, max(rows, 1), f"about {100 * fraction:.3g} %, by hash: fixed as rows are added"


def _rows_apart(source: Source) -> Surveyed:
    """What is measured on. Raises DataError where a launch would refuse it."""
    surveyed = survey_source(source)
    if surveyed.survey.bad_rows:
        problems = _problems(surveyed)[:_PROBLEMS_NAMED]
        error = bad_rows(problems, stopped=False, layout_known=True)
        raise DataError(f"held-out rows: {error.message}", *error.hints)
    if not surveyed.survey.rows:
        raise DataError(f"held-out rows: {source.path}: has no rows", "name a file that has some")
    return surveyed


def _leaks(
    source: Source, surveyed: Surveyed, apart: Surveyed | None, fraction: float
) -> Sequence[tuple[str, str, float]]:
    """(place of the training row, place of the held-out row, share it repeats)."""
    other = apart or surveyed
    same = {} if apart is None else _equal_rows(surveyed.survey, apart.survey)
    found = {
        surveyed.place(row): (surveyed.describe(row), other.describe(held_out), 1.0)
        for row, held_out in same.items()
    }
    if surveyed.shape is None or surveyed.shape.layout != "image_label":
        rows = [
            each
            for each in other.survey.sample
            if apart is not None or is_held_out(-each.minus_key, fraction)
        ]
        index = HeldOutIndex.of(row.text for row in rows)
        for near in near_repeats(source, index, fraction):
            held_out = rows[near.held_out]
            found.setdefault(
                (near.file, near.line),
                (
                    place_in(surveyed.files[near.file], near.line),
                    place_in(other.files[held_out.file], held_out.line),
                    near.share,
                ),
            )
    return [found[place] for place in sorted(found)]


def _equal_rows(survey: Survey, other: Survey) -> dict[int, int]:
    """The first equal row of `other` for each row that has one there."""
    shared = shared_keys(survey.keys, other.keys)
    wanted = {survey.keys[row] for row in shared}
    first: dict[int, int] = {}
    for row, key in enumerate(other.keys):
        if key in wanted:
            first.setdefault(key, row)
    return {row: first[survey.keys[row]] for row in shared}
