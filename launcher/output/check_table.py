"""The two tables of the quick check: what each method needs, and where a method's memory goes."""

from __future__ import annotations

from collections.abc import Sequence

from launcher.output.numbers import filled_cells, gib, shares, tenths, tenths_text
from launcher.output.style import Meaning, Style
from launcher.output.words import optimizer_text
from launcher.quick_check import QuickCheck
from planner.plan import MethodAnswer

_BAR = 30
_PART_BAR = 23
_NEED_COLUMN = 14
_BARS_FROM = 80
_BREAKDOWN_FROM = 50
_UNITS_FROM = 50

_MEANING: dict[str, Meaning] = {"yes": "fits", "tight": "tight", "no": "over"}


def need_text(answer: MethodAnswer, style: Style, digits: int = 0) -> str:
    """What is expected and the wider side of its interval, such as "19.4 ± 1.0"."""
    needed = answer.memory.needed
    expected = tenths(needed.expected_bytes)
    side = max(tenths(needed.high_bytes) - expected, expected - tenths(needed.low_bytes))
    return f"{tenths_text(expected):>{digits}} {style.plus_minus} {tenths_text(side)}"


def verdict_text(answer: MethodAnswer) -> str:
    """Such as "yes, 3.7 GiB spare": the difference of the numbers as they are shown beside it."""
    verdict = answer.verdict
    if verdict.fits is None or verdict.capacity_bytes is None:
        return "unknown"
    spare = tenths(verdict.capacity_bytes) - tenths(answer.memory.needed.expected_bytes)
    if verdict.fits == "no":
        return f"no, {tenths_text(-spare)} GiB short"
    return f"{verdict.fits}, {tenths_text(spare)} GiB spare"


def judged_lines(check: QuickCheck, style: Style) -> list[str]:
    """A line for each method against the memory at hand."""
    answers = check.plan.answers
    bars = style.width >= _BARS_FROM
    needs = _needs(answers, style)
    column = max(_NEED_COLUMN, *(len(need) + 2 for need in needs))
    head = f"{'Method':9}{'Needs GiB':{column}}"
    lines = [f"{head}{_memory_head(check):{_BAR + 3}}Verdict" if bars else f"{head}Verdict"]
    for answer, need in zip(answers, needs, strict=True):
        bar = f"{_bar(answer, style)}   " if bars else ""
        verdict = verdict_text(answer)
        if style.width < _UNITS_FROM:
            verdict = verdict.replace(" GiB", "")
        meaning = _MEANING.get(answer.verdict.fits or "")
        painted = style.paint(verdict, meaning) if meaning else verdict
        lines.append(f"{answer.method:9}{need:{column}}{bar}{painted}")
    return lines


def unjudged_lines(check: QuickCheck, style: Style) -> list[str]:
    """A line for each method with the smallest cards that hold it."""
    from launcher.fitting_cards import cards_for  # reads every card

    answers = check.plan.answers
    needs = _needs(answers, style)
    column = max(_NEED_COLUMN, *(len(need) + 2 for need in needs))
    room = style.width - 9 - column
    lines = [f"{'Method':9}{'Needs GiB':{column}}{'Smallest cards that hold it':.{room}}"]
    for answer, need in zip(answers, needs, strict=True):
        names = [card.id for card in cards_for(answer)]
        while names and len(", ".join(names)) > room:
            names.pop()
        cards = ", ".join(names) or "none in hwdb"
        lines.append(f"{answer.method:9}{need:{column}}{cards}")
    return lines


def breakdown_lines(answer: MethodAnswer, style: Style) -> list[str]:
    """Where the memory of a method goes; nothing on a narrow terminal."""
    if style.width < _BREAKDOWN_FROM:
        return []
    memory = answer.memory
    shown = shares(memory_parts(answer), memory.device.expected_bytes)
    largest = max(shown.values())
    column = max(23, *map(len, shown))
    lines = [f"Where {answer.method}'s {gib(memory.device.expected_bytes)} GiB go"]
    for name, count in shown.items():
        if count == 0:
            continue
        bar = style.solid(max(1, round(_PART_BAR * count / largest)))
        cells = f"  {bar}" if style.width >= _BARS_FROM else ""
        lines.append(f"  {name:{column}}{tenths_text(count):>6}{cells}")
    return lines


def _needs(answers: Sequence[MethodAnswer], style: Style) -> list[str]:
    digits = max(len(gib(answer.memory.needed.expected_bytes)) for answer in answers)
    return [need_text(answer, style, max(4, digits)) for answer in answers]


def _memory_head(check: QuickCheck) -> str:
    budget = check.plan.budget
    if budget is None or budget.free_bytes is None:
        return "Memory unknown"
    free = gib(budget.free_bytes)
    if budget.source == "simulated":
        return f"Of {free} GiB usable"
    if budget.source == "host":
        return f"Of the {free} GiB available"
    where = f" on GPU {budget.index}" if len(check.hardware.gpus) > 1 else ""
    return f"Of the {free} GiB free{where}"


def _bar(answer: MethodAnswer, style: Style) -> str:
    capacity = answer.verdict.capacity_bytes
    if not capacity:
        return " " * _BAR
    needed = answer.memory.needed.expected_bytes
    if needed > capacity:
        return style.bar(_BAR, _BAR, beyond=True)
    return style.bar(filled_cells(needed, capacity, _BAR), _BAR)


def memory_parts(answer: MethodAnswer) -> dict[str, int]:
    """Bytes by what they are for, in the words people use; they add up to the device bytes."""
    parts, request = answer.memory.parts, answer.request
    optimizer = optimizer_text(request)
    base, trained = ("base ", "adapters, ") if request.adapter else ("", "")
    runtime = "CUDA context, kernels" if request.device == "cuda" else "Python, torch, kernels"
    return {
        f"{base}weights, {request.weights}": parts.weights_bytes,
        "logits and loss": parts.logits_bytes,
        "activations": parts.activations_bytes + parts.temporaries_bytes,
        f"{trained}grads, {optimizer}": (
            parts.adapters_bytes + parts.gradients_bytes + parts.optimizer_bytes
        ),
        runtime: parts.runtime_bytes,
    }
