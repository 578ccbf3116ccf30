"""The panel at the right of a wide screen: every number in full, and where the memory is."""

from __future__ import annotations

from collections.abc import Iterator

from launcher.runs.measured import error_fraction
from launcher.view.looking import SIDE_COLUMNS, Looking
from launcher.view.progress import RunProgress
from launcher.view.run_facts import PlannedRun
from launcher.view.screen.charts import shown_memory
from launcher.view.screen.memory import kinds_of, kinds_that_add_up
from launcher.view.screen.numbers import (
    device_facts,
    done_at,
    epoch,
    time_left,
    tokens_per_second,
)
from launcher.view.spans import Line, Role, Span, line
from launcher.view.words import duration, gib, gib_as, loss, percent

_VALUE_AT = 22


def side_lines(progress: RunProgress, looking: Looking) -> Iterator[Line]:
    """Numbers, memory by kind, predicted and measured, the card."""
    yield from _numbers(progress)
    yield ()
    yield from _memory(progress, looking)
    plan = progress.plan
    if plan is not None:
        yield ()
        yield from _compared(progress, plan, looking)
    if progress.device == "cuda":
        yield ()
        yield from _card(progress, looking)


def _numbers(progress: RunProgress) -> Iterator[Line]:
    numbers, step = progress.numbers, progress.last_step or {}
    evaluated = progress.last_evaluation
    yield _title("Numbers")
    yield _fact("loss", loss(numbers.loss_last))
    held_out = "-" if evaluated is None else f"{loss(evaluated.get('loss'))}"
    at = "" if evaluated is None else f" at step {evaluated.get('step', '-')}"
    yield _fact("held out", held_out, at)
    yield _fact("grad norm", _short(step.get("grad_norm")))
    yield _fact("learning rate", _short(step.get("learning_rate")))
    yield _fact("tokens/s", tokens_per_second(progress))
    yield _fact("epoch", epoch(progress))
    yield _fact("elapsed", duration(progress.seconds))
    yield _fact("left", time_left(progress))
    yield _fact("done at", done_at(progress))


def _memory(progress: RunProgress, looking: Looking) -> Iterator[Line]:
    memory = shown_memory(progress, looking)
    kinds = kinds_of(progress, memory)

    def amount(count_bytes: int | None) -> str:
        return gib_as(count_bytes, progress.plan.predicted_peak_bytes if progress.plan else None)

    yield _title("Memory at the peak, GiB")
    if progress.device == "cuda":
        allocated, cached, context = kinds_that_add_up(kinds, amount)
        yield _amount("allocated by torch", allocated)
        yield _amount("cached by torch", cached)
        yield _amount("CUDA context", context)
    yield _amount("this run", amount(kinds.run_bytes), "measured")
    yield _amount("this run now", amount(memory.now_bytes))
    yield _amount("other programs", amount(kinds.others_bytes))
    yield _amount("free for this run", amount(kinds.free_bytes))
    yield _amount("room left", amount(kinds.room_bytes))


def _compared(progress: RunProgress, plan: PlannedRun, looking: Looking) -> Iterator[Line]:
    memory = shown_memory(progress, looking)
    yield _title("Predicted and measured, GiB")
    yield line(Span(f"{'plan':>19}{'seen':>8}", "dim"))
    rows = [("peak", plan.predicted_peak_bytes, memory.peak_bytes)]
    if progress.device == "cuda":
        allocated = kinds_of(progress, memory).allocated_bytes
        rows.insert(0, ("allocated", plan.predicted_allocated_bytes, allocated))
    for name, predicted, measured in rows:
        # Before the first step the peak is still to come.
        fraction = error_fraction(measured, predicted) if progress.numbers.step else None
        off = "" if fraction is None else f" {percent(fraction)}"
        yield line(f"  {name:<11}{gib(predicted):>6}{gib(measured):>8}{off:>8}")
    band = f"{gib(plan.predicted_low_bytes)}-{gib(plan.predicted_high_bytes)}"
    yield line(Span(f"  band {band}", "predicted"))


def _card(progress: RunProgress, looking: Looking) -> Iterator[Line]:
    memory = shown_memory(progress, looking)
    number = "" if memory.index is None else f" {memory.index}"
    yield _title(f"GPU{number}")
    _, facts = device_facts(progress, memory)
    limit = memory.newest.get("power_limit_watts")
    most = f" of {limit:.0f} W" if isinstance(limit, (int, float)) else ""
    yield line(f"  {facts.removesuffix(' W') + most if most else facts}")


def _title(text: str) -> Line:
    return line(Span(text, "title"))


def _fact(name: str, value: str, rest: str = "") -> Line:
    return line("  ", Span(f"{name:<14}", "dim"), value, Span(rest, "dim"))


def _amount(name: str, value: str, role: Role = "plain") -> Line:
    room = SIDE_COLUMNS - 14
    return line("  ", Span(f"{name:<{room}}", "dim"), Span(f"{value:>6}", role))


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, (int, float)) else "-"
