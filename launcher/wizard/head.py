"""The first line: which step this is, and what was chosen so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launcher.view.spans import Line, Span, between
from launcher.wizard.draft import Draft

if TYPE_CHECKING:
    from planner.budget import Budget

STEPS = ("GPU", "Model", "Data", "Method", "Start")


COLUMN = 80
"""Columns that everything is laid out for; narrower terminals get less of it."""


def first_column(width: int) -> int:
    """Where the names of the steps begin."""
    return 13 if width >= COLUMN else 1


def head_line(number: int, draft: Draft, width: int, *, wide: bool) -> Line:
    """Steps done, the current one and those to come; at the right what is planned with."""
    spans = [Span(f"{' tlplan':{first_column(width)}}" if width >= COLUMN else " ", "strong")]
    for each, name in enumerate(STEPS):
        if each:
            spans.append(Span("   "))
        if each == number:
            spans.append(Span(f"● {name}", "chosen"))
        elif each < number:
            spans.append(Span(f"✓ {name}", "fits"))
        else:
            spans.append(Span(f"○ {name}", "dim"))
    badge = (Span("SIMULATED ", "tight"),) if draft.simulated else ()
    told = Span(_told(number, draft) if wide else "", "dim")
    return between(tuple(spans), (*badge, told), width)


def _told(number: int, draft: Draft) -> str:
    if number == 0 or draft.budget is None:
        import hwdb

        return f"hwdb {hwdb.VERSION}"
    place = f"{short_place(draft.budget)}  {memory_text(draft.budget)}"
    if number == 1 or draft.model is None:
        return place
    return f"{draft.model.planned.id} on {place}"


def short_place(budget: Budget) -> str:
    """Where it runs: "GPU 0 RTX 4090", "RTX 4090", "CPU"."""
    if budget.source == "host":
        return "CPU"
    name = short_name(budget.name)
    return name if budget.index is None else f"GPU {budget.index} {name}"


def short_name(name: str) -> str:
    """A card's name without its maker: "RTX 4090"."""
    for prefix in ("NVIDIA ", "GeForce ", "Quadro "):
        name = name.removeprefix(prefix)
    return name


def memory_text(budget: Budget) -> str:
    """Such as "23.1 GiB free"."""
    if budget.free_bytes is None:
        return "memory unknown"
    from launcher.output.numbers import gib

    word = {"nvml": "free", "simulated": "usable", "host": "available"}[budget.source]
    return f"{gib(budget.free_bytes)} GiB {word}"
