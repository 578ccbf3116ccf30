"""The chart of a run screen with its title and axis: memory, loss or speed over the whole run."""

from __future__ import annotations

from collections.abc import Sequence

from launcher.view.cards import DeviceMemory, memory_kinds
from launcher.view.chart import (
    MemoryScale,
    block_cells,
    chart_top,
    curve_cells,
    memory_cells,
)
from launcher.view.looking import ChartKind, Looking
from launcher.view.progress import RunProgress
from launcher.view.series import Series, highest, mean
from launcher.view.spans import Line, Span, between, line
from launcher.view.words import duration, gib, gib_as, loss, thousands

LABEL_COLUMNS = 6
MARGIN_COLUMNS = 2
_ROOMY_COLUMNS = 72
_OVER = " over"
LEAST_AXIS_SECONDS = 30.0
_AHEAD = 1.25
"""Before anybody knows how long it takes, a fifth of the axis is left for what comes."""


def chart_block(
    progress: RunProgress, looking: Looking, *, columns: int, rows: int, kind: ChartKind
) -> list[Line]:
    """Title, `rows` rows of cells, and the axis of time."""
    if kind == "memory":
        title, *cells = _memory_chart(progress, looking, columns=columns, rows=rows)
    elif kind == "loss":
        title, *cells = _loss_chart(progress, columns=columns, rows=rows)
    else:
        title, *cells = _speed_chart(progress, columns=columns, rows=rows)
    if looking.cursor is not None:
        title = _moment(progress, looking, looking.cursor)
    return [title, *cells, axis_line(progress, looking, plot_columns(columns))]


def axis_seconds(progress: RunProgress) -> float:
    """Time at the right end of the charts: when the run will be done, as far as is known."""
    now = progress.seconds
    if progress.over:
        return max(now, 1.0)
    left = progress.seconds_left()
    if left is not None:
        return max(now + left, 1.0)
    return max(LEAST_AXIS_SECONDS, now * _AHEAD)


def shown_memory(progress: RunProgress, looking: Looking) -> DeviceMemory:
    """The device that was chosen, else the fullest."""
    at = progress.fullest if looking.device is None else looking.device
    return progress.memories[min(at, len(progress.memories) - 1)]


def memory_scale(progress: RunProgress, memory: DeviceMemory) -> MemoryScale | None:
    """What the memory chart is drawn against; None before there is a plan."""
    plan = progress.plan
    if plan is None:
        return None
    return MemoryScale(
        top_bytes=chart_top(
            free_bytes=plan.available_bytes,
            expected_bytes=plan.predicted_peak_bytes,
            high_bytes=plan.predicted_high_bytes,
            peak_bytes=memory.peak_bytes or 0,
        ),
        expected_bytes=plan.predicted_peak_bytes,
        low_bytes=plan.predicted_low_bytes,
        high_bytes=plan.predicted_high_bytes,
    )


def memory_rows(
    progress: RunProgress, memory: DeviceMemory, *, columns: int, rows: int
) -> list[Line]:
    """Labels and cells of the memory chart alone, at most `columns` wide with its labels."""
    scale = memory_scale(progress, memory)
    if scale is None:
        return [()] * rows
    over = (memory.peak_bytes or 0) > scale.high_bytes
    plot = max(1, columns - LABEL_COLUMNS - (len(_OVER) if over else 0))
    values = memory.series.columns(plot, end_seconds=axis_seconds(progress), of=highest)
    cells = memory_cells(values, rows=rows, scale=scale)
    labels = [scale.label(row, rows) for row in range(rows)]
    lines = _labelled(labels, cells)
    if over:
        below = (row for row in range(rows) if _edge(scale, row + 1, rows) < scale.expected_bytes)
        row = next(below, rows - 1)
        lines[row] = (*lines[row], Span(_OVER, "over"))
    return lines


def _edge(scale: MemoryScale, row: int, rows: int) -> float:
    return scale.top_bytes * (rows - row) / rows


def _memory_chart(
    progress: RunProgress, looking: Looking, *, columns: int, rows: int
) -> list[Line]:
    memory = shown_memory(progress, looking)
    return [
        _memory_title(progress, memory, columns),
        *memory_rows(progress, memory, columns=columns - MARGIN_COLUMNS, rows=rows),
    ]


def _memory_title(progress: RunProgress, memory: DeviceMemory, columns: int) -> Line:
    plan = progress.plan
    if plan is None:
        return line(" memory of this run, GiB")
    about = "≈ " if memory.approximate else ""
    what = "VRAM of this run, GiB" if plan.device == "cuda" else "memory of this run, GiB"
    if columns < _ROOMY_COLUMNS:
        what = "VRAM, GiB" if plan.device == "cuda" else "memory, GiB"
    legend = line(
        f" {what}  ",
        Span("█", "measured"),
        f" {about}measured  ",
        Span("┄", "predicted"),
        f" predicted {gib(plan.predicted_peak_bytes)} ",
    )
    if columns >= _ROOMY_COLUMNS:
        legend = (*legend, Span("·", "predicted"), Span(" band"))
    kinds = memory_kinds(memory, device=plan.device, planned_free_bytes=plan.available_bytes)
    scale = memory_scale(progress, memory)
    free = plan.available_bytes
    if free is not None and scale is not None and scale.top_bytes == free:
        return between(legend, line(f"top: {gib(free)} free "), columns)
    shown = kinds.free_bytes
    return between(
        legend, line(f"free {gib_as(shown, plan.predicted_peak_bytes)} " if shown else ""), columns
    )


def _loss_chart(progress: RunProgress, *, columns: int, rows: int) -> list[Line]:
    plot, end = plot_columns(columns), axis_seconds(progress)
    title = line(
        " loss  ", Span("─", "measured"), " training  ", Span("•", "predicted"), " held out"
    )
    values = progress.losses.columns(plot, end_seconds=end, of=mean)
    points = _only_where_measured(progress.evaluations, plot, end)
    known = [each for each in (*values, *points) if each is not None]
    if not known:
        return _nothing_yet(title, rows)
    low, high = min(known), max(known)
    cells = curve_cells(values, points, rows=rows, low=low, high=high)
    edges = [high - (high - low) * row / max(1, rows - 1) for row in range(rows)]
    labels = [f"{edge:.2f}" if edge < 9.995 else f"{edge:.1f}"[:5] for edge in edges]
    return [title, *_labelled(labels, cells)]


def _speed_chart(progress: RunProgress, *, columns: int, rows: int) -> list[Line]:
    title = line(" tokens/s  ", Span("█", "measured"), " training")
    end = axis_seconds(progress)
    values = progress.speeds.columns(plot_columns(columns), end_seconds=end, of=mean)
    known = [each for each in values if each is not None]
    if not known:
        return _nothing_yet(title, rows)
    top = 1.05 * max(known)
    cells = block_cells(values, rows=rows, top=top)
    edges = [top * (rows - row) / rows for row in range(rows)]
    labels = [thousands(edge) if edge < 9999.5 else f"{edge / 1000:.0f} k" for edge in edges]
    return [title, *_labelled(labels, cells)]


def _nothing_yet(title: Line, rows: int) -> list[Line]:
    nothing = line(" " * LABEL_COLUMNS, Span("nothing measured yet", "dim"))
    return [title, nothing, *[()] * (rows - 1)]


def _labelled(labels: Sequence[str], cells: Sequence[Line]) -> list[Line]:
    return [
        line(Span(f"{label:>{LABEL_COLUMNS - 1}} ", "dim"), *each)
        for label, each in zip(labels, cells, strict=True)
    ]


def _moment(progress: RunProgress, looking: Looking, cursor: float) -> Line:
    """What was measured at the cursor, instead of the chart's title."""
    end = axis_seconds(progress)
    at = cursor * end
    memory = shown_memory(progress, looking)
    parts = [f" at {duration(at)}"]
    if at > progress.seconds:
        return line(Span(f"{parts[0]}: still to come", "strong"))
    like = progress.plan.predicted_peak_bytes if progress.plan else None
    held = memory.series.value_at(at, of=highest)
    parts.append(f"memory {gib_as(None if held is None else round(held), like)} GiB")
    trained = progress.losses.value_at(at, of=mean)
    parts.append(f"loss {loss(trained)}")
    speed = progress.speeds.value_at(at, of=mean)
    parts.append(f"tokens/s {'-' if speed is None else thousands(speed)}")
    return line(Span("   ".join(parts), "strong"))


def _only_where_measured(dots: Series, columns: int, end: float) -> Sequence[float | None]:
    """A dot in the column of each measurement, none between them."""
    found: list[float | None] = [None] * columns
    for seconds, value in dots.points(of=mean):
        column = int(seconds / end * columns)
        if 0 <= column < columns:
            found[column] = value
    return found


def axis_line(progress: RunProgress, looking: Looking, plot: int) -> Line:
    """Start, now and the expected end under the columns where they are; and the cursor."""
    end, now = axis_seconds(progress), progress.seconds
    left = " " * LABEL_COLUMNS + "0:00"
    last = duration(end) if progress.over else f"≈ {duration(end)}"
    if progress.seconds_left() is None and not progress.over:
        last = ""
    text = f"{left:<{LABEL_COLUMNS + plot}}"
    marker = f"now {duration(now)}"
    if not progress.over:
        text = _written(text, marker, LABEL_COLUMNS + round(now / end * plot) - len(marker))
    text = _written(text, last, LABEL_COLUMNS + plot - len(last), keep=True)
    if looking.frozen:
        text = _written(text, "frozen", LABEL_COLUMNS + 6)
    if looking.cursor is not None:
        column = LABEL_COLUMNS + round(looking.cursor * (plot - 1))
        return line(
            Span(text[:column], "dim"), Span("▲", "strong"), Span(text[column + 1 :], "dim")
        )
    return line(Span(text, "dim"))


def _written(text: str, word: str, at: int, *, keep: bool = False) -> str:
    """`word` written into `text` where it fits; with `keep` only over blanks."""
    if not word:
        return text
    at = max(LABEL_COLUMNS + 6, min(at, len(text) - len(word)))
    under = text[max(0, at - 1) : at + len(word)]
    if keep and under.strip():
        return text
    return text[:at] + word + text[at + len(word) :]


def plot_columns(columns: int) -> int:
    """Columns of cells in a chart of that width."""
    return max(1, columns - LABEL_COLUMNS - MARGIN_COLUMNS)
