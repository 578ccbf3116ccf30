"""The whole run screen: what stands where at every size of terminal."""

from __future__ import annotations

from launcher.view.looking import LEAST_COLUMNS, LEAST_ROWS, SIDE_COLUMNS, ChartKind, Looking, Size
from launcher.view.progress import RunProgress
from launcher.view.screen.charts import chart_block
from launcher.view.screen.head import head_lines
from launcher.view.screen.log import log_lines
from launcher.view.screen.memory import memory_lines
from launcher.view.screen.numbers import number_lines
from launcher.view.screen.side import side_lines
from launcher.view.spans import Line, beside, fitted, line

_LEAST_CHART_ROWS = 3
_CHART_SHARE = 0.36
_SECOND_CHART_ROWS = 6
_ROWS_FOR_SECOND_CHART = 34
_LOG_ROWS = 3


def run_lines(
    progress: RunProgress, size: Size, looking: Looking, *, folder: str, trouble: str | None = None
) -> list[Line]:
    """Exactly as many lines as there are rows, each exactly as wide as the screen.

    `trouble` is said in place, such as that the folder is gone.
    """
    if not size.enough:
        return too_small(size)
    head = list(head_lines(progress, size, looking, folder=folder))
    rows = size.rows - len(head)
    body = _main(progress, looking, size.main_columns, rows, trouble, wide=size.wide)
    if size.wide:
        side = list(side_lines(progress, looking))
        body = beside(body[:rows], side[:rows], columns=size.columns, side=SIDE_COLUMNS)
    return [fitted(each, size.columns) for each in [*head, *body][: size.rows]]


def too_small(size: Size) -> list[Line]:
    """One sentence that says the size needed."""
    text = f"The screen needs {LEAST_COLUMNS} x {LEAST_ROWS + 1}; the run goes on."
    lines = [line(text[at : at + size.columns]) for at in range(0, len(text), max(1, size.columns))]
    lines = [*lines, *[()] * size.rows][: size.rows]
    return [fitted(each, size.columns) for each in lines]


def _main(
    progress: RunProgress,
    looking: Looking,
    columns: int,
    rows: int,
    trouble: str | None,
    *,
    wide: bool,
) -> list[Line]:
    memory = list(memory_lines(progress, looking, columns))
    numbers = [] if wide else number_lines(progress, looking, columns)
    other: ChartKind = "loss" if looking.chart == "memory" else "memory"
    second = rows >= _ROWS_FOR_SECOND_CHART
    fixed = 2 + len(memory) + len(numbers) + (_SECOND_CHART_ROWS + 3 if second else 0)
    blanks = 3 if rows - fixed - _LEAST_CHART_ROWS - _LOG_ROWS >= 3 else 0
    room = rows - fixed - blanks
    chart_rows = max(_LEAST_CHART_ROWS, min(room - _LOG_ROWS, round(_CHART_SHARE * rows)))
    blank: list[Line] = [()] if blanks else []
    lines = chart_block(progress, looking, columns=columns, rows=chart_rows, kind=looking.chart)
    lines += [*memory, *blank]
    if numbers:
        lines += [*numbers, *blank]
    if second:
        lines += chart_block(
            progress, looking, columns=columns, rows=_SECOND_CHART_ROWS, kind=other
        )
        lines.append(())
    last = [line(f" {looking.note}")] if looking.note else blank
    log_rows = max(0, rows - len(lines) - len(last))
    lines += log_lines(progress, looking, columns=columns, rows=log_rows, trouble=trouble)
    return [*lines, *last]
