"""The panel beside an ended run: its files, and memory and loss over the whole run, small."""

from __future__ import annotations

from collections.abc import Iterator

from launcher.runs.folder import RunFolder
from launcher.view.ended import Ended
from launcher.view.looking import SIDE_COLUMNS, Looking
from launcher.view.progress import RunProgress
from launcher.view.screen.charts import chart_block, memory_rows
from launcher.view.spans import EMPTY, Line, Span, between, line
from launcher.view.words import duration, file_size, gib

_CHART_ROWS = 8
_LEAST_ROWS_FOR_LOSS = 34


def side_lines(progress: RunProgress, ended: Ended, folder: RunFolder, rows: int) -> Iterator[Line]:
    """Files first, then the charts."""
    inner = SIDE_COLUMNS - 2
    yield line(Span(f"Files in {folder.name}"[:inner], "title"))
    for file in ended.files:
        yield between(line(f"  {file.name}"), line(f"{file_size(file.size_bytes):>9}"), inner - 1)
    yield EMPTY
    yield line(Span("Memory over the run, GiB", "title"))
    memory = progress.memories[progress.fullest]
    yield from memory_rows(progress, memory, columns=inner - 2, rows=_CHART_ROWS)
    yield line(Span(f"      0:00{duration(progress.seconds):>{inner - 12}}", "dim"))
    if progress.plan is not None:
        predicted = gib(progress.plan.predicted_peak_bytes)
        yield line(Span("  ┄", "predicted"), f" predicted {predicted}  ", Span("█", "measured"),
                   " measured")  # fmt: skip
    if rows >= _LEAST_ROWS_FOR_LOSS:
        yield EMPTY
        yield from chart_block(progress, Looking(), columns=inner, rows=6, kind="loss")
