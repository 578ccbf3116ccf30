"""The quick check as 25 lines of text."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

import hwdb
from launcher.output.check_table import (
    breakdown_lines,
    judged_lines,
    unjudged_lines,
    verdict_text,
)
from launcher.output.numbers import count_text, gib, parameters_text
from launcher.output.style import Style
from launcher.output.words import CHECKPOINTING, compute_dtype, method_text, optimizer_text
from launcher.quick_check import QuickCheck
from launcher.ways_out import cards_for, lightest, ways_out
from planner.budget import Budget
from planner.plan import MethodAnswer

_LABEL = 14


def check_text(check: QuickCheck, style: Style) -> str:
    """The whole answer, ending in a line break, no line wider than the style's width."""
    judged = check.plan.budget is not None
    blocks = [
        _head_lines(check, style),
        judged_lines(check, style) if judged else unjudged_lines(check, style),
        _recommended_lines(check, style),
        breakdown_lines(_explained(check), style),
        _room_lines(check, style),
        _next_lines(check),
    ]
    text = "\n\n".join("\n".join(block) for block in blocks if block)
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
    lines = [_fitted(f"{model.id:{_LABEL - 2}}  ", facts, style)]
    budget, gpus = check.plan.budget, check.hardware.gpus
    if budget is None:
        lines.append(_fitted(f"{'GPU':{_LABEL}}", ["none that can be read here"], style))
    else:
        shown = gpus if budget in gpus else (budget,)
        lines += [_fitted(*_memory_facts(each), style) for each in shown]
    lines.append(_fitted(f"{'Assuming':{_LABEL}}", _assumed(check.plan.answers), style))
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
    capability = budget.compute_capability
    compute = f", compute {capability[0]}.{capability[1]}" if capability else ""
    return f"{f'GPU {budget.index}':{_LABEL}}", [budget.name, memory, compute]


def _assumed(answers: Sequence[MethodAnswer]) -> list[str]:
    request = answers[0].request
    dtypes = dict.fromkeys(compute_dtype(answer.request) for answer in answers)
    early = " in backward" if request.steps_in_backward else ""
    return [
        f"{count_text(request.sequence_tokens)} tokens",
        f", batch {request.micro_batch} x {request.accumulation}",
        f", {CHECKPOINTING[request.checkpointing]}",
        f", {optimizer_text(request)}{early}",
        f", {' or '.join(dtypes)}",
    ]


def _explained(check: QuickCheck) -> MethodAnswer:
    """The method whose memory is taken apart: the one to run, else the lightest."""
    if check.plan.budget is None and check.plan.asked.method is None:
        return check.plan.answer("lora")
    return check.plan.chosen or lightest(check.plan)


def _recommended_lines(check: QuickCheck, style: Style) -> list[str]:
    recommended = check.plan.recommendation
    asked = check.plan.asked.method is not None
    title = style.paint("Asked for" if asked and recommended else "Recommended", "strong")
    if check.plan.budget is None:
        return [f"{title}: nothing yet; --gpu NAME judges a card"]
    if recommended is None and check.plan.fits:
        return [f"{title}: nothing, since the memory is unknown; --gpu 24GiB names one"]
    if recommended is None:
        return _nothing_fits_lines(check, style, title)
    answer = check.plan.answer(recommended.method)
    lines = [f"{title}: {method_text(answer.request)}"]
    for sentence in (recommended.reason, *_when_another(check, recommended.method)):
        lines += [f"  {line}" for line in _filled(sentence, style.width - 2)]
    return lines


def _when_another(check: QuickCheck, method: str) -> Iterator[str]:
    answers = {answer.method: answer for answer in check.plan.answers}
    if method == "lora" and "qlora" in answers:
        limits = list(_limits(answers["lora"]))
        if limits:
            yield f"Prefer qlora {' or '.join(limits)}."
    if method == "qlora" and "lora" in answers:
        yield f"lora: {verdict_text(answers['lora'])}."


def _limits(answer: MethodAnswer) -> Iterator[str]:
    tokens, rows = answer.largest_sequence_tokens, answer.largest_micro_batch
    if tokens:
        yield f"beyond {count_text(tokens)} tokens"
    if rows:
        yield f"from batch {count_text(rows + 1)}"


def _nothing_fits_lines(check: QuickCheck, style: Style, title: str) -> list[str]:
    count = len(check.plan.answers)
    which = (
        "none of the three fits" if count == 3 else f"{lightest(check.plan).method} does not fit"
    )
    ways = ways_out(check.plan)
    if not ways:
        return [f"{title}: {which}", "  No card of hwdb holds it, and no smaller model is known."]
    column = max(len(way.option) for way in ways) + 2
    return [
        f"{title}: {which}",
        f"  Each of these alone makes {lightest(check.plan).method} fit:",
        *(_fitted(f"    {way.option:{column}}", [way.reason], style) for way in ways),
    ]


def _room_lines(check: QuickCheck, style: Style) -> list[str]:
    answer = _explained(check)
    lines = []
    tokens, rows = answer.largest_sequence_tokens, answer.largest_micro_batch
    if tokens and rows:
        batch, sequence = answer.request.micro_batch, answer.request.sequence_tokens
        facts = [
            f"batch {batch} at {count_text(tokens)} tokens",
            f", or batch {count_text(rows)} at {count_text(sequence)}",
        ]
        lines.append(_fitted(f"{'Room to grow':{_LABEL}}", facts, style))
    lines.append(_fitted(f"{'Basis':{_LABEL}}", _basis(answer), style))
    return lines


def _basis(answer: MethodAnswer) -> list[str]:
    basis = answer.memory.basis
    if basis.runs is None:
        return [basis.tier, ", not yet checked on measured runs of this kind"]
    error = basis.median_error_fraction
    median = "" if error is None else f" (median error {100 * error:.0f} %)"
    return [basis.tier, f", checked on {basis.runs} measured runs", median]


def _next_lines(check: QuickCheck) -> list[str]:
    model = f"--model {shlex.quote(check.model_argument)}"
    gpu = f" --gpu {shlex.quote(check.gpu_argument)}" if check.gpu_argument else ""
    data = "--data train.jsonl"
    if check.plan.budget is None:
        card = next((card.id for card in cards_for(_explained(check))), "24GiB")
        commands = [f"tlplan {model} --gpu {card}", f"tlplan launch {model} {data}"]
    elif not check.plan.fits:
        commands = [_retried(way.option, model, gpu) for way in ways_out(check.plan)[:2]]
    elif gpu:
        commands = [f"tlplan plan {model}{gpu} {data}"]
    else:
        commands = [f"tlplan plan {model} {data}", f"tlplan launch {model} {data}"]
    return [f"{'' if number else 'Next':6}{line}" for number, line in enumerate(commands)]


def _retried(option: str, model: str, gpu: str) -> str:
    """The check again with one change."""
    if option.startswith("--model"):
        return f"tlplan {option}{gpu}"
    if option.startswith("--gpu"):
        return f"tlplan {model} {option}"
    return f"tlplan {model}{gpu} {option}"


def _fitted(label: str, facts: Sequence[str], style: Style) -> str:
    """Label and facts on one line: the last facts are left out where the line is too short."""
    kept = [fact for fact in facts if fact]
    while len(kept) > 1 and len(label) + len("".join(kept)) > style.width:
        kept.pop()
    line = label + "".join(kept)
    return line if len(line) <= style.width else line[: style.width - 3] + "..."


def _filled(sentence: str, width: int) -> list[str]:
    """A sentence on as many lines as it takes."""
    lines = [""]
    for word in sentence.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if len(longer) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
