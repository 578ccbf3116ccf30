"""The screen of a run that is over: the result, or why it stopped and what can be done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from launcher.runs.folder import RunFolder
from launcher.view.ended import Ended
from launcher.view.looking import SIDE_COLUMNS, Size
from launcher.view.progress import RunProgress
from launcher.view.result import shown_path
from launcher.view.screen.head import run_name
from launcher.view.screen.layout import too_small
from launcher.view.screen.look_back import side_lines
from launcher.view.screen.result_page import result_page
from launcher.view.screen.stopped_page import stopped_page
from launcher.view.spans import EMPTY, Line, Span, beside, between, cut, fitted, line
from launcher.view.words import duration, gib_as, one_line

CHANGE_COLUMNS = 30


@dataclass(slots=True, kw_only=True)
class EndLooking:
    """What a person does on the screen of an ended run."""

    chosen: int = 0
    """Number of the choice that Enter takes."""
    scrolled: int = 0
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndScreen:
    """The lines, and which of them are choices."""

    lines: list[Line]
    choice_rows: dict[int, int]
    """Number of the choice by row."""
    hidden: int
    """Lines that scrolling would show."""


def end_screen(
    progress: RunProgress, ended: Ended, folder: RunFolder, size: Size, looking: EndLooking
) -> EndScreen:
    """The whole screen without its keys."""
    if not size.enough:
        return EndScreen(lines=too_small(size), choice_rows={}, hidden=0)
    status = status_words(progress, ended)
    name = run_name(progress)
    if size.wide:
        name = f"{name} · {shown_path(folder.path)}"
    good = ended.kind == "finished"
    right = line(Span(f"{status} ", "fits" if good else "tight"))
    head = [
        between(line(Span(f" {one_line(name)}", "title")), right, size.columns),
        line(Span("─" * size.columns, "dim")),
    ]
    columns = size.main_columns
    page_of = result_page if good else stopped_page
    page = list(page_of(progress, ended, folder, columns))
    choices = list(choice_lines(ended, looking, columns))
    first_choice = len(page) + 2
    if choices:
        page += [EMPTY, line(Span(f" {choices_title(ended)}", "title")), *choices]
    rows = size.rows - len(head) - (1 if looking.note else 0)
    hidden = max(0, len(page) - rows)
    scrolled = min(looking.scrolled, hidden)
    body = page[scrolled : scrolled + rows]
    if scrolled < hidden and body:
        more = hidden - scrolled + 1
        body[-1] = line(Span(f" … {more} more lines, page down shows them", "dim"))
    if size.wide:
        side = list(side_lines(progress, ended, folder, rows))
        body = [*body, *[EMPTY] * (rows - len(body))]
        body = beside(body, side[:rows], columns=size.columns, side=SIDE_COLUMNS)
    lines = [*head, *body]
    if looking.note:
        lines += [EMPTY] * (size.rows - 1 - len(lines))
        lines.append(line(Span(f" {looking.note}", "tight")))
    lines = [*lines, *[EMPTY] * size.rows][: size.rows]
    offset = 2 + first_choice - scrolled + (1 if _has_columns(ended) else 0)
    return EndScreen(
        lines=[fitted(each, size.columns) for each in lines],
        choice_rows={offset + at: at for at in range(len(ended.choices))},
        hidden=hidden,
    )


def status_words(progress: RunProgress, ended: Ended) -> str:
    """How it ended, at the right of the head."""
    after = duration(progress.seconds)
    return {
        "finished": f"finished in {after}",
        "out of memory": "stopped: out of memory",
        "diverged": "stopped: training diverged",
        "GPU lost": "stopped: the GPU is gone",
        "interrupted": f"stopped on request after {after}",
        "lost": "lost: nobody looks after it",
        "failed": f"failed after {after}",
    }[ended.kind]


def choices_title(ended: Ended) -> str:
    """Above the choices."""
    if ended.kind == "out of memory" and _has_columns(ended):
        return "What should fit, corrected by what this run showed"
    return "What you can do"


def choice_lines(ended: Ended, looking: EndLooking, columns: int) -> Iterator[Line]:
    """One line a choice, with what it needs and costs where that is known."""
    if _has_columns(ended):
        yield line(Span(f"    {'Change':<{CHANGE_COLUMNS}} {'Needs':>6} {'Spare':>6}  Cost", "dim"))
    for number, choice in enumerate(ended.choices):
        text = f"{choice.text:<{CHANGE_COLUMNS}}"
        if choice.retry is not None and choice.retry.needed_bytes is not None:
            retry = choice.retry
            needed = gib_as(retry.needed_bytes, retry.run_plan.hardware.predicted_peak_bytes)
            spare = gib_as(retry.spare_bytes, retry.run_plan.hardware.predicted_peak_bytes)
            text = f"{text} {needed:>6} {spare:>6}"
        if choice.retry is not None:
            text = f"{text}  {choice.retry.cost}"
        taken = number == looking.chosen
        sign = Span("  ▸ " if taken else "    ", "chosen")
        yield cut(line(sign, Span(text, "strong" if taken else "plain")), columns)


def _has_columns(ended: Ended) -> bool:
    return any(
        choice.retry is not None and choice.retry.needed_bytes is not None
        for choice in ended.choices
    )
