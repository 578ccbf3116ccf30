"""A finished run: what came of it, predicted and measured, before and after, what next."""

from __future__ import annotations

from collections.abc import Iterator

from launcher.evaluation.text import evidence_lines
from launcher.runs.folder import RunFolder
from launcher.view.ended import Ended
from launcher.view.progress import RunProgress
from launcher.view.result import answer_lines, learning_lines, memory_table, next_steps, shown_path
from launcher.view.spans import EMPTY, Line, Span, cut, line
from launcher.view.words import file_size

_SHORT_ANSWER_LINES = 2


def result_page(
    progress: RunProgress, ended: Ended, folder: RunFolder, columns: int
) -> Iterator[Line]:
    """The page, as long as it gets."""
    result = progress.result or "adapter"
    size = next((each.size_bytes for each in ended.files if each.name == f"{result}/"), None)
    size_text = "" if size is None else f" ({file_size(size)})"
    place = f"{shown_path(folder.path)}/{result}"
    kind = "model" if result == "model" else "adapter"
    yield cut(line(Span(" Done.", "fits"), f" The {kind}{size_text} is in {place}"), columns)
    yield EMPTY
    for text in learning_lines(progress):
        yield line(f" {text}")
    evidence = _evidence(progress)
    if evidence:
        yield EMPTY
        yield from evidence
    plan = progress.plan
    if plan is not None:
        yield EMPTY
        title, *rows = memory_table(progress, plan)
        yield line(Span(f" {title}", "title"))
        for text in rows:
            yield line(f" {text}")
    if ended.more_rows is not None:
        yield line(f"   there was room: micro_batch_rows {ended.more_rows} would fit next time")
    if progress.answers:
        yield EMPTY
        title, *rows = answer_lines(progress, most=_SHORT_ANSWER_LINES)
        yield line(Span(f" {title}", "title"))
        for text in rows:
            yield line(f" {text}")
    yield EMPTY
    for text in next_steps(progress, folder):
        yield cut(line(f" {text}"), columns)


def _evidence(progress: RunProgress) -> list[Line]:
    """Whether it helped, as the run measured it; nothing where the event is broken."""
    if progress.comparison is None:
        return []
    try:
        title, *rows = evidence_lines(progress.comparison)
    except (KeyError, TypeError, ValueError, AttributeError):
        return []
    return [line(Span(f" {title}", "title")), *(line(f" {text}") for text in rows)]
