"""The live screen as lines of text: what is said where, without a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from launcher.runs.measured import error_fraction
from launcher.view.progress import PlannedRun, RunProgress
from launcher.view.words import (
    band_verdict,
    duration,
    gib,
    loss,
    memory_of_this_run,
    one_line,
    percent,
    rough_duration,
    thousands,
)

Role = Literal["title", "progress", "measured", "predicted", "verdict", "dim", "plain"]
BAR_COLUMNS = 30
LOSS_COLUMNS = 30
SPARKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class ScreenLine:
    """A line and what it is, which decides its colour."""

    text: str
    role: Role = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenSize:
    """What the terminal offers."""

    columns: int = 80
    rows: int = 24
    blocks: bool = True
    """Whether it can show block characters; # and . otherwise."""


def screen_lines(progress: RunProgress, size: ScreenSize, *, footer: str) -> list[ScreenLine]:
    """The whole screen: exactly as many lines as there are rows, none wider than the columns."""
    top = [*_head(progress, size), ScreenLine(""), *_learning(progress, size)]
    if progress.plan is not None:
        top += [ScreenLine(""), *_memory(progress, progress.plan, size)]
    room = size.rows - len(top) - 3
    log = list(progress.lines)[-room:] if room > 0 else []
    lines = [*top, ScreenLine(""), *(ScreenLine(f" {line}", "dim") for line in log)]
    lines = lines[: size.rows - 2]
    lines += [ScreenLine("")] * (size.rows - 1 - len(lines))
    lines.append(ScreenLine(f" {footer}", "dim"))
    return [ScreenLine(_cut(line.text, size.columns), line.role) for line in lines]


def bar(fraction: float, columns: int, *, blocks: bool = True) -> str:
    """A bar that is `fraction` full."""
    full = round(min(1.0, max(0.0, fraction)) * columns)
    return ("█" if blocks else "#") * full + ("░" if blocks else ".") * (columns - full)


def sparkline(values: Sequence[float], columns: int) -> str:
    """Values as a row of small bars, averaged down to `columns`; the highest is full."""
    if not values:
        return ""
    count = min(columns, len(values))
    edges = [round(index * len(values) / count) for index in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    span = (high - low) or 1.0
    return "".join(SPARKS[round((mean - low) / span * (len(SPARKS) - 1))] for mean in means)


def _head(progress: RunProgress, size: ScreenSize) -> Iterator[ScreenLine]:
    plan, numbers = progress.plan, progress.numbers
    name = "tlplan"
    if plan is not None:
        rank = f" r{plan.rank}" if plan.rank else ""
        name = f"{plan.model}, {plan.method}{rank}, {plan.gpu or 'CPU'}"
    total = numbers.total_steps
    where = one_line(progress.phase) + (f", step {numbers.step} of {total}" if total else "")
    room = size.columns - 2 - len(where) - 2
    yield ScreenLine(f" {_cut(one_line(name), room):<{room}}  {where} ", "title")
    done = progress.done_fraction()
    columns = size.columns - 8
    yield ScreenLine(f" {bar(done, columns, blocks=size.blocks)} {done:>4.0%}", "progress")
    left = progress.seconds_left()
    parts = [f"elapsed {duration(progress.seconds)}"]
    parts.append("left: after some steps" if left is None else f"left about {rough_duration(left)}")
    if (step_seconds := numbers.usual_step_seconds()) is not None:
        parts.append(f"{step_seconds:.2f} s a step")
    if (speed := numbers.usual_tokens_per_second()) is not None:
        parts.append(f"{thousands(speed)} tokens/s")
    yield ScreenLine(" " + "   ".join(parts))


def _learning(progress: RunProgress, size: ScreenSize) -> Iterator[ScreenLine]:
    numbers = progress.numbers
    curve = sparkline(progress.losses, LOSS_COLUMNS) if size.blocks else ""
    first = f"  first {loss(numbers.loss_first)}" if numbers.loss_first is not None else ""
    yield ScreenLine(f" loss      {loss(numbers.loss_last):>6}  {curve}{first}")
    before = loss(numbers.evaluation_before)
    yield ScreenLine(f" held out  {loss(numbers.evaluation_last):>6}  before training {before}")
    step = progress.last_step
    if step is not None:
        shown = (("grad", "grad_norm"), ("rate", "learning_rate"), ("epoch", "epoch"))
        known = [(name, step.get(key)) for name, key in shown]
        parts = [f"{name} {value:.3g}" for name, value in known if value is not None]
        yield ScreenLine(" " + "   ".join(parts), "dim")


def _memory(progress: RunProgress, plan: PlannedRun, size: ScreenSize) -> Iterator[ScreenLine]:
    peak_bytes, now_bytes = progress.peak_bytes, progress.memory_now_bytes
    top_bytes = max(1.15 * plan.predicted_high_bytes, 1.05 * (peak_bytes or 0), 1.0)
    about = " (card used now less before)" if progress.memory.get("approximate") else ""
    yield ScreenLine(f" {memory_of_this_run(plan.device)}, GiB{about}")
    measured = bar((now_bytes or 0) / top_bytes, BAR_COLUMNS, blocks=size.blocks)
    predicted = bar(plan.predicted_peak_bytes / top_bytes, BAR_COLUMNS, blocks=size.blocks)
    band = f"band {gib(plan.predicted_low_bytes)}-{gib(plan.predicted_high_bytes)}"
    yield ScreenLine(
        f" measured  {measured}  {gib(now_bytes)} now, peak {gib(peak_bytes)}", "measured"
    )
    yield ScreenLine(
        f" predicted {predicted}  {gib(plan.predicted_peak_bytes)}, {band}", "predicted"
    )
    yield ScreenLine(f" {memory_verdict(progress, plan)}", "verdict")
    if plan.device == "cuda":
        yield from _card(progress)


def memory_verdict(progress: RunProgress, plan: PlannedRun) -> str:
    """Where the peak lies against the prediction, in one sentence."""
    peak_bytes = progress.peak_bytes
    if progress.numbers.step == 0 or peak_bytes is None:
        return "first step not finished; the peak is usually there"
    fraction = error_fraction(peak_bytes, plan.predicted_peak_bytes)
    verdict = band_verdict(
        peak_bytes=peak_bytes,
        low_bytes=plan.predicted_low_bytes,
        high_bytes=plan.predicted_high_bytes,
    )
    difference = "" if fraction is None else f"{percent(fraction)}, "
    predicted = gib(plan.predicted_peak_bytes)
    said = f"peak {gib(peak_bytes)} of {predicted} predicted ({difference}{verdict})"
    if plan.available_bytes is None:
        return said
    return f"{said}   room left {gib(max(0, plan.available_bytes - peak_bytes))}"


def _card(progress: RunProgress) -> Iterator[ScreenLine]:
    memory = progress.memory
    reserved, allocated = memory.get("reserved_bytes"), memory.get("allocated_bytes")
    if reserved is not None and allocated is not None:
        cached = gib(reserved - allocated)
        yield ScreenLine(
            f" torch held up to {gib(reserved)} (allocated {gib(allocated)}, cached {cached})",
            "dim",
        )
    shown = (("utilization_percent", "%"), ("temperature_celsius", "C"), ("power_watts", "W"))
    parts = [f"{memory[key]:.0f} {unit}" for key, unit in shown if memory.get(key) is not None]
    if parts:
        yield ScreenLine(f" GPU {'   '.join(parts)}", "dim")


def _cut(text: str, columns: int) -> str:
    return text if len(text) <= columns else text[: max(0, columns - 3)] + "..."
