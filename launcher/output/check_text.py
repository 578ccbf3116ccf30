"""The quick check as 25 lines of text."""

from __future__ import annotations

from collections.abc import Sequence

import hwdb
from launcher.output.check_advice import explained, next_lines, recommended_lines
from launcher.output.check_table import (
    breakdown_lines,
    judged_lines,
    unjudged_lines,
)
from launcher.output.lines import fitted
from launcher.output.numbers import count_text, gib, parameters_text
from launcher.output.style import Style
from launcher.output.words import CHECKPOINTING, compute_dtype, optimizer_text
from launcher.quick_check import QuickCheck
from planner.budget import Budget
from planner.plan import MethodAnswer

_LABEL = 14
_MOST_LINES = 25
"""What fits on a screen with the prompt; the speed is said where there is room for it."""


def check_text(check: QuickCheck, style: Style) -> str:
    """The whole answer, ending in a line break, no line wider than the style's width."""
    judged = check.plan.budget is not None
    blocks = [
        _head_lines(check, style),
        judged_lines(check, style) if judged else unjudged_lines(check, style),
        recommended_lines(check, style),
        breakdown_lines(explained(check), style),
        _room_lines(check, style),
        next_lines(check),
    ]
    lines = sum(len(block) + 1 for block in blocks if block)
    if lines <= _MOST_LINES:
        blocks[-2] = [*_speed_lines(check, style), *blocks[-2]]
    text = "\n\n".join("\n".join(block) for block in blocks if block)
    return style.clean(text) + "\n"


def summary_text(check: QuickCheck, style: Style) -> str:
    """The model, the memory and what each method needs; for commands that go on from there."""
    judged = check.plan.budget is not None
    table = judged_lines(check, style) if judged else unjudged_lines(check, style)
    text = "\n".join([*_head_lines(check, style), "", *table])
    return style.clean(text) + "\n"


def _head_lines(check: QuickCheck, style: Style) -> list[str]:
    model = check.plan.model
    shape = model.shape
    origin = {"hwdb": f"hwdb {hwdb.VERSION}", "hub": "from the Hub", "folder": "from the folder"}
    facts = [
        f"{parameters_text(shape.parameters)} parameters",
        f", {shape.layers} layers",
        f", vocabulary {count_text(shape.vocabulary_size)}",
        f"   ({origin[model.source]})",
    ]
    lines = [fitted(f"{model.id:{_LABEL - 2}}  ", facts, style)]
    budget, gpus = check.plan.budget, check.hardware.gpus
    if budget is None:
        lines.append(fitted(f"{'GPU':{_LABEL}}", ["none that can be read here"], style))
    else:
        shown = gpus if budget in gpus else (budget,)
        lines += [fitted(*_memory_facts(each), style) for each in shown]
    lines.append(
        fitted(f"{'Assuming':{_LABEL}}", _assumed(explained(check), check.plan.answers), style)
    )
    return lines


def _memory_facts(budget: Budget) -> tuple[str, list[str]]:
    total = None if budget.total_bytes is None else f"{gib(budget.total_bytes)} GiB"
    if budget.source == "simulated":
        if budget.card_id is None:
            return f"{'Card':{_LABEL}}", [total or "", ", a size without a name (simulated)"]
        facts = [budget.name, f", {total}" if total else "", ", from hwdb (simulated)"]
        return f"{'Card':{_LABEL}}", facts
    memory = ", memory unknown"
    if budget.free_bytes is not None and total is not None:
        word = "available" if budget.source == "host" else "free"
        memory = f", {gib(budget.free_bytes)} of {total} {word}"
    if budget.source == "host":
        return f"{'CPU':{_LABEL}}", [budget.name, memory]
    slot = "MIG" if (budget.uuid or "").startswith("MIG-") else "GPU"
    capability = budget.compute_capability
    compute = f", compute {capability[0]}.{capability[1]}" if capability else ""
    return f"{f'{slot} {budget.index}':{_LABEL}}", [budget.name, memory, compute]


def _assumed(shown: MethodAnswer, answers: Sequence[MethodAnswer]) -> list[str]:
    request = shown.request
    dtypes = dict.fromkeys(compute_dtype(answer.request) for answer in answers)
    early = " in backward" if request.steps_in_backward else ""
    return [
        f"{count_text(request.sequence_tokens)} tokens",
        f", batch {request.micro_batch} x {request.accumulation}",
        f", {CHECKPOINTING[request.checkpointing]}",
        f", {optimizer_text(request)}{early}",
        f", {' or '.join(dtypes)}",
    ]


def _room_lines(check: QuickCheck, style: Style) -> list[str]:
    answer = explained(check)
    lines = []
    tokens, rows = answer.largest_sequence_tokens, answer.largest_micro_batch
    if tokens and rows:
        batch, sequence = answer.request.micro_batch, answer.request.sequence_tokens
        facts = [
            f"batch {batch} at {count_text(tokens)} tokens",
            f", or batch {count_text(rows)} at {count_text(sequence)}",
        ]
        lines.append(fitted(f"{'Room to grow':{_LABEL}}", facts, style))
    lines.append(fitted(f"{'Basis':{_LABEL}}", _basis(answer), style))
    return lines


def _speed_lines(check: QuickCheck, style: Style) -> list[str]:
    answer = explained(check)
    if answer.time is None:
        return []
    speed = answer.time.tokens_per_second
    low, high = (count_text(round(float(f"{end:.2g}"))) for end in (speed.low, speed.high))
    facts = [f"{low} to {high} tokens/s with {answer.method}", ", estimated"]
    return [fitted(f"{'Speed':{_LABEL}}", facts, style)]


def _percent(share: float) -> str:
    percent = 100 * share
    return "below 0.1" if percent < 0.1 else f"{percent:.1f}"


def _basis(answer: MethodAnswer) -> list[str]:
    basis = answer.memory.basis
    if basis.tier == "measured":
        runs = "1 run" if basis.runs == 1 else f"{basis.runs} runs"
        return [f"measured, {runs} here", "; the estimate is corrected by them"]
    if basis.runs is None:
        return [basis.tier, ", not yet checked on measured runs of this kind"]
    measured = f"{basis.runs} measured runs"
    if basis.median_error_fraction is None:
        return [basis.tier, f", checked on {measured}"]
    of = "resident" if answer.request.device == "cpu" else "allocated"
    median = f"median error {_percent(basis.median_error_fraction)} % of {of}"
    return [basis.tier, f"; {measured}", f": {median}"]
