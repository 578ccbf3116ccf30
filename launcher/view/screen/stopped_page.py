"""A run that did not finish: what happened, how far it came, what is kept."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from launcher.runs.folder import RunFolder
from launcher.view.cards import MemoryKinds
from launcher.view.chart import sparkline
from launcher.view.ended import Ended
from launcher.view.progress import RunProgress
from launcher.view.result import shown_path
from launcher.view.screen.head import device_name
from launcher.view.screen.memory import kinds_of
from launcher.view.series import mean
from launcher.view.spans import EMPTY, Line, Span, cut, line
from launcher.view.words import gib_as, loss, one_line

_CURVE_COLUMNS = 40


def out_of_memory_page(
    progress: RunProgress, ended: Ended, folder: RunFolder, columns: int
) -> Iterator[Line]:
    """Where it ran out, what held the memory, and what was predicted."""
    where = device_name(progress) if progress.device == "cuda" else "This machine"
    yield line(Span(f" {where} ran out of memory{_at_step(progress)}", "over"))
    yield EMPTY
    yield from _reason(progress, columns)
    memory = progress.memories[progress.fullest]
    kinds = kinds_of(progress, memory)
    yield from _held(progress, kinds)
    yield from _tried(progress, columns)
    yield EMPTY
    yield from _kept(ended, folder, columns)


def diverged_page(
    progress: RunProgress, ended: Ended, folder: RunFolder, columns: int
) -> Iterator[Line]:
    """The loss on its way out of bounds."""
    yield line(Span(f" Training diverged{_at_step(progress)}", "over"))
    yield EMPTY
    yield from _reason(progress, columns)
    end = max(progress.losses.last_seconds, 1.0)
    values = progress.losses.columns(_CURVE_COLUMNS, end_seconds=end, of=mean)
    numbers = progress.numbers
    yield line(
        Span("   loss        ", "dim"),
        f"{loss(numbers.loss_first)} → {loss(numbers.loss_last)}  ",
        Span(sparkline(values), "measured"),
    )
    rate = (progress.last_step or {}).get("learning_rate")
    if isinstance(rate, (int, float)):
        yield line(Span("   rate        ", "dim"), f"{rate:.3g} at the last step")
    yield from _tried(progress, columns)
    yield EMPTY
    yield line(" A loss that is no number does not come back: the weights are spoiled.")
    yield from _kept(ended, folder, columns)


def gpu_lost_page(
    progress: RunProgress, ended: Ended, folder: RunFolder, columns: int
) -> Iterator[Line]:
    """The driver's words, and what to look at before going on."""
    yield line(Span(f" {device_name(progress)} no longer answers{_at_step(progress)}", "over"))
    yield EMPTY
    yield from _reason(progress, columns)
    yield from _hints(progress, columns)
    yield EMPTY
    yield from _kept(ended, folder, columns)


def interrupted_page(
    progress: RunProgress, ended: Ended, folder: RunFolder, columns: int
) -> Iterator[Line]:
    """How far it came."""
    yield line(Span(f" Stopped on request{_at_step(progress)}", "strong"))
    yield EMPTY
    yield from _reason(progress, columns)
    yield line(Span("   loss        ", "dim"), _losses(progress))
    yield EMPTY
    yield from _kept(ended, folder, columns)


def lost_page(
    progress: RunProgress, ended: Ended, folder: RunFolder, columns: int
) -> Iterator[Line]:
    """Nobody is there to say what happened."""
    yield line(Span(f" Nobody looks after this run any more{_at_step(progress)}", "over"))
    yield EMPTY
    yield line("   Its supervisor went without a word: a power cut, a restart, kill -9.")
    yield line(Span("   loss        ", "dim"), _losses(progress))
    yield EMPTY
    yield from _kept(ended, folder, columns)
    yield from _log(ended, folder, columns)


def failed_page(
    progress: RunProgress, ended: Ended, folder: RunFolder, columns: int
) -> Iterator[Line]:
    """The reason, what to do, and the last lines of the log."""
    yield line(Span(f" The run failed{_at_step(progress)}", "over"))
    yield EMPTY
    yield from _reason(progress, columns)
    yield from _hints(progress, columns)
    yield EMPTY
    yield from _kept(ended, folder, columns)
    yield from _log(ended, folder, columns)


def _at_step(progress: RunProgress) -> str:
    numbers = progress.numbers
    if not numbers.step:
        return " before its first step"
    total = f" of {numbers.total_steps}" if numbers.total_steps else ""
    return f" at step {numbers.step}{total}"


def _reason(progress: RunProgress, columns: int) -> Iterator[Line]:
    if progress.failure is not None:
        yield from _wrapped(one_line(progress.failure.reason), columns)


def _hints(progress: RunProgress, columns: int) -> Iterator[Line]:
    for hint in progress.failure.hints if progress.failure else ():
        yield from _wrapped(one_line(hint), columns, first="   - ")


def _wrapped(text: str, columns: int, *, first: str = "   ") -> Iterator[Line]:
    for number, part in enumerate(textwrap.wrap(text, columns - len(first) - 1)):
        yield line(f"{first if number == 0 else ' ' * len(first)}{part}")


def _held(progress: RunProgress, kinds: MemoryKinds) -> Iterator[Line]:
    plan = progress.plan
    like = plan.predicted_peak_bytes if plan else kinds.run_bytes
    run, others, free = (
        gib_as(each, like) for each in (kinds.run_bytes, kinds.others_bytes, kinds.free_bytes)
    )
    held = f"this run {run}, other programs {others}, free for it {free} GiB"
    yield line(Span("   in use      ", "dim"), held)
    if plan is None:
        return
    over = (kinds.run_bytes or 0) - plan.predicted_peak_bytes
    said = "this run had not reached it: something else took the room"
    if over > 0:
        said = f"this run was {gib_as(over, like)} over already: the estimate was low"
    yield line(Span("   predicted   ", "dim"), f"{gib_as(like, like)} GiB    {said}")


def _tried(progress: RunProgress, columns: int) -> Iterator[Line]:
    """What the supervisor changed by itself before it gave up."""
    for number, text in enumerate(progress.recovery_messages):
        label = "   tried       " if number == 0 else " " * 15
        yield cut(line(Span(label, "dim"), one_line(text)), columns)


def _kept(ended: Ended, folder: RunFolder, columns: int) -> Iterator[Line]:
    if ended.checkpoint_step is None:
        yield line(" Nothing was saved yet: there is no checkpoint.")
    else:
        yield line(f" Saved: the checkpoint of step {ended.checkpoint_step}.")
    yield cut(line(f" Log: {shown_path(folder.log)}"), columns)


def _losses(progress: RunProgress) -> str:
    numbers = progress.numbers
    held_out = ""
    if numbers.evaluation_last is not None:
        held_out = f"   held out {loss(numbers.evaluation_last)}"
    return f"{loss(numbers.loss_first)} → {loss(numbers.loss_last)}{held_out}"


def _log(ended: Ended, folder: RunFolder, columns: int) -> Iterator[Line]:
    if not ended.log:
        return
    yield EMPTY
    yield line(Span(f" The end of {shown_path(folder.log)}", "title"))
    for text in ended.log:
        yield cut(line(Span(f"   {text}", "dim")), columns)
