"""A run that did not finish: what happened, how far it came, what is kept."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from launcher.runs.folder import RunFolder
from launcher.view.chart import sparkline
from launcher.view.ended import Ended, EndKind
from launcher.view.progress import RunProgress
from launcher.view.result import shown_path
from launcher.view.screen.head import device_name
from launcher.view.screen.memory import kinds_of
from launcher.view.series import mean
from launcher.view.spans import EMPTY, Line, Role, Span, cut, line
from launcher.view.words import gib_as, loss, one_line

_CURVE_COLUMNS = 40


Part = Callable[[RunProgress, int], Iterator[Line]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What is said of one way to stop."""

    title: str
    """With `{device}` for where it ran; the step follows."""
    parts: tuple[Part, ...]
    role: Role = "over"


def stopped_page(
    progress: RunProgress, ended: Ended, folder: RunFolder, columns: int
) -> Iterator[Line]:
    """What happened and at which step, what is known of it, what is kept, the end of the log."""
    said = _SAID[ended.kind]
    device = device_name(progress) if progress.device == "cuda" else "This machine"
    yield line(Span(f" {said.title.format(device=device)}{_at_step(progress)}", said.role))
    yield EMPTY
    for part in said.parts:
        yield from part(progress, columns)
    yield EMPTY
    if ended.kind == "diverged":
        yield line(" A loss that is no number does not come back: the weights are spoiled.")
    yield from _kept(ended, folder, columns)
    yield from _log(ended, folder, columns)


def _at_step(progress: RunProgress) -> str:
    numbers = progress.numbers
    if not numbers.step:
        return " before its first step"
    total = f" of {numbers.total_steps}" if numbers.total_steps else ""
    return f" at step {numbers.step}{total}"


def _reason(progress: RunProgress, columns: int) -> Iterator[Line]:
    """In the words of the run, where the title does not say it."""
    if progress.failure is not None and progress.failure.reason != "stopped on request":
        yield from _wrapped(one_line(progress.failure.reason), columns)


def _hints(progress: RunProgress, columns: int) -> Iterator[Line]:
    for hint in progress.failure.hints if progress.failure else ():
        yield from _wrapped(one_line(hint), columns, first="   - ")


def _no_word(_progress: RunProgress, columns: int) -> Iterator[Line]:
    yield from _wrapped(
        "Its supervisor went without a word: a power cut, a restart, kill -9.", columns
    )


def _wrapped(text: str, columns: int, *, first: str = "   ") -> Iterator[Line]:
    """A text as lines; what stands before its first line is made dim."""
    for number, part in enumerate(textwrap.wrap(text, columns - len(first) - 1)):
        yield line(Span(first if number == 0 else " " * len(first), "dim"), part)


def _curve(progress: RunProgress, _columns: int) -> Iterator[Line]:
    """The loss on its way out of bounds."""
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


def _held(progress: RunProgress, columns: int) -> Iterator[Line]:
    """What held the memory, and what was predicted."""
    kinds = kinds_of(progress, progress.memories[progress.fullest])
    plan = progress.plan
    like = plan.predicted_peak_bytes if plan else kinds.run_bytes
    run, others, free = (
        gib_as(each, like) for each in (kinds.run_bytes, kinds.others_bytes, kinds.free_bytes)
    )
    held = f"this run {run}, other programs {others}, free for it {free} GiB"
    yield from _wrapped(held, columns, first="   in use      ")
    if plan is None:
        return
    over = (kinds.run_bytes or 0) - plan.predicted_peak_bytes
    said = "this run had not reached it: something else took the room"
    if over > 0:
        said = f"this run was {gib_as(over, like)} over already: the estimate was low"
    yield from _wrapped(f"{gib_as(like, like)} GiB; {said}", columns, first="   predicted   ")


def _tried(progress: RunProgress, columns: int) -> Iterator[Line]:
    """What the supervisor changed by itself before it gave up, without the reasons."""
    changes = [one_line(text).rpartition("; ")[2] for text in progress.recovery_messages]
    label = "   tried       "
    for change in dict.fromkeys(changes):
        yield from _wrapped(change, columns, first=label)
        label = " " * len(label)


def _kept(ended: Ended, folder: RunFolder, columns: int) -> Iterator[Line]:
    if ended.checkpoint_step is None:
        yield line(" Nothing was saved yet: there is no checkpoint.")
    else:
        yield line(f" Saved: the checkpoint of step {ended.checkpoint_step}.")
    yield cut(line(f" Log: {shown_path(folder.log)}"), columns)


def _losses(progress: RunProgress, _columns: int) -> Iterator[Line]:
    numbers = progress.numbers
    held_out = ""
    if numbers.evaluation_last is not None:
        held_out = f"   held out {loss(numbers.evaluation_last)}"
    losses = f"{loss(numbers.loss_first)} → {loss(numbers.loss_last)}{held_out}"
    yield line(Span("   loss        ", "dim"), losses)


def _log(ended: Ended, folder: RunFolder, columns: int) -> Iterator[Line]:
    if not ended.log:
        return
    yield EMPTY
    yield line(Span(f" The end of {shown_path(folder.log)}", "title"))
    for text in ended.log:
        yield cut(line(Span(f"   {text}", "dim")), columns)


_SAID: dict[EndKind, _Said] = {
    "out of memory": _Said(title="{device} ran out of memory", parts=(_reason, _held, _tried)),
    "diverged": _Said(title="Training diverged", parts=(_reason, _curve, _tried)),
    "GPU lost": _Said(title="{device} no longer answers", parts=(_reason, _hints)),
    "interrupted": _Said(title="Stopped on request", parts=(_reason, _losses), role="strong"),
    "lost": _Said(title="Nobody looks after this run any more", parts=(_no_word, _losses)),
    "failed": _Said(title="The run failed", parts=(_reason, _hints)),
}
