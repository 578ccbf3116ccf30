"""Loss, time and speed in a few lines, and how busy, hot and hungry the card is."""

from __future__ import annotations

from collections.abc import Sequence

from launcher.view.cards import DeviceMemory
from launcher.view.chart import sparkline
from launcher.view.looking import Looking
from launcher.view.progress import RunProgress
from launcher.view.screen.charts import shown_memory
from launcher.view.series import mean
from launcher.view.spans import Line, Span, line
from launcher.view.time_left import STEPS_KEPT, STEPS_NEEDED, STEPS_NEEDED_OF_A_SHORT_RUN
from launcher.view.words import duration, loss, percent_right, rough_duration, thousands

CURVE_COLUMNS = 14
_ROOMY_COLUMNS = 76
_LABELS = (7, 9)


def number_lines(progress: RunProgress, looking: Looking, columns: int) -> list[Line]:
    """Three lines of three columns; four of two where it is narrow."""
    memory = shown_memory(progress, looking)
    learning = [
        ("loss", f"{loss(progress.numbers.loss_last):<7} {_curve(progress)}"),
        ("eval", _evaluation(progress)),
        ("grad", f"{_gradient(progress):<7}rate {_rate(progress)}"),
    ]
    times = [
        ("elapsed", duration(progress.seconds)),
        ("left", time_left(progress)),
        ("done at", done_at(progress)),
    ]
    speed = [
        ("tokens/s", tokens_per_second(progress)),
        device_facts(progress, memory),
        ("epoch", epoch(progress)),
    ]
    if columns >= _ROOMY_COLUMNS:
        widths = (32, 25, columns - 58)
        return [_row(cells, widths) for cells in zip(learning, times, speed, strict=True)]
    pairs = [*zip(learning, times, strict=True), (("speed", f"{speed[0][1]} tokens/s"), speed[1])]
    return [_row(pair, (32, columns - 33)) for pair in pairs]


def time_left(progress: RunProgress) -> str:
    """Rounded, or when it will be known."""
    if progress.over:
        return "-"
    if progress.download is not None:
        fetching = progress.download.seconds_left
        return "not known yet" if fetching is None else f"fetch ≈ {rough_duration(fetching)}"
    left = progress.seconds_left()
    if left is None:
        total = progress.numbers.total_steps
        if total is None:
            return "not known yet"
        needed = STEPS_NEEDED_OF_A_SHORT_RUN if total <= STEPS_KEPT else STEPS_NEEDED
        return f"after {needed} steps"
    planned = " planned" if progress.pace.is_planned(progress.numbers.total_steps) else ""
    return f"≈ {rough_duration(left)}{planned}"


def done_at(progress: RunProgress) -> str:
    """Time of day at its expected end."""
    at = progress.done_at()
    return "-" if at is None else f"≈ {at:%H:%M}"


def tokens_per_second(progress: RunProgress) -> str:
    """Speed of the last step."""
    value = (progress.last_step or {}).get("tokens_per_second")
    return thousands(value) if isinstance(value, (int, float)) else "-"


def epoch(progress: RunProgress) -> str:
    """How often the data was gone through."""
    value = (progress.last_step or {}).get("epoch")
    return f"{value:.2f}" if isinstance(value, (int, float)) else "-"


def device_facts(progress: RunProgress, memory: DeviceMemory) -> tuple[str, str]:
    """Use, temperature and power of the card; on the CPU nothing of the kind is measured."""
    newest = memory.newest
    shown = (("utilization_percent", "%"), ("temperature_celsius", "°C"), ("power_watts", "W"))
    known = [
        f"{newest[key]:.0f} {unit}"
        for key, unit in shown
        if isinstance(newest.get(key), (int, float))
    ]
    if progress.device == "cpu":
        steps = list(progress.pace.step_seconds)
        return "step", f"{steps[-1]:.2f} s" if steps else "-"
    return "GPU", "  ".join(known) or "-"


def _curve(progress: RunProgress) -> str:
    end = max(progress.losses.last_seconds, 1.0)
    values = progress.losses.columns(CURVE_COLUMNS, end_seconds=end, of=mean)
    return sparkline([value for value in values if value is not None])


def _evaluation(progress: RunProgress) -> str:
    last = progress.last_evaluation
    if last is None:
        return "-"
    share = percent_right(last)
    right = f"{share} right, " if share else ""
    return f"{loss(last.get('loss')):<7}{right}step {last.get('step', '-')}"


def _gradient(progress: RunProgress) -> str:
    value = (progress.last_step or {}).get("grad_norm")
    return f"{value:.3g}" if isinstance(value, (int, float)) else "-"


def _rate(progress: RunProgress) -> str:
    value = (progress.last_step or {}).get("learning_rate")
    return f"{value:.2g}" if isinstance(value, (int, float)) else "-"


def _row(cells: Sequence[tuple[str, str]], widths: Sequence[int]) -> Line:
    spans: list[Span] = [Span(" ")]
    for column, ((name, value), width) in enumerate(zip(cells, widths, strict=True)):
        # The third column is read as phrases: "GPU 97 %  71 °C  431 W" would not fit otherwise.
        label = f"{name} " if column == 2 else f"{name:<{_LABELS[column]}}"
        spans += [Span(label, "dim"), Span(f"{value:<{max(0, width - len(label))}}")]
    return line(*spans)
