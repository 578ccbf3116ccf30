"""The fifth step in words: what will be done, what was checked, and the same as a command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from launcher.data.hub_name import hub_name
from launcher.output.expected_text import step_text
from launcher.output.lines import filled
from launcher.output.numbers import count_text, gib, tenths, tenths_text
from launcher.output.words import compute_dtype, method_text, optimizer_text
from launcher.settling import ReadyPlan
from launcher.view.spans import EMPTY, Line, Role, Span, cut_text, line
from launcher.wizard.draft import Draft
from launcher.wizard.head import memory_text, short_place
from launcher.wizard.price import Price, kwh_text, price_of, short_usd
from launcher.wizard.start.checks import Check
from launcher.wizard.wording import without_options
from planner.loop import held_out_rows
from planner.plan import Plan
from planner.units import duration_text, size_text

_SIGN: dict[str, tuple[str, Role]] = {
    "good": ("✓", "fits"),
    "note": ("!", "tight"),
    "bad": ("✗", "over"),
}


def summary_lines(draft: Draft, plan: Plan, ready: ReadyPlan) -> list[Line]:
    """What will be done, a line for each of the things that decide."""
    run_plan, request = ready.run_plan, ready.answer.request
    assert draft.data is not None
    rows_told = draft.data.facts
    held = held_out_rows(rows_told)
    trained = rows_told.rows if rows_told.held_out_rows is not None else rows_told.rows - held
    loop = run_plan.training
    rows_a_step = loop.micro_batch_rows * loop.accumulation_steps
    passes = "1 epoch" if loop.epochs == 1 else f"{loop.epochs:g} epochs"
    rate = f"{loop.learning_rate:.0e}".replace("e-0", "e-")
    hub = plan.model.hub_id or (shown(Path(plan.model.folder)) if plan.model.folder else "")
    checkpoint = size_text(ready.expectation.checkpoint_bytes)
    held_text = f", {count_text(held)} held out" if held else ", none held out"
    argument = draft.data.argument
    name = Path(argument).name if hub_name(argument) is None else argument
    facts = {
        "Model": f"{plan.model.id} ({hub})" if hub != plan.model.id else hub,
        "Data": f"{cut_text(name, 30)}, {count_text(trained)} to learn from{held_text}",
        "Method": f"{method_text(request)}, {compute_dtype(request)}, "
        f"{optimizer_text(request)} {rate}, {passes}",
        "Steps": f"{count_text(ready.steps)} of {rows_a_step} rows of up to "
        f"{count_text(loop.sequence_tokens)} tokens",
        "Memory": _memory(plan, ready),
        "Time": _time(ready),
        "Price": _price(price_of(plan, ready.answer, ready.expectation)),
        "Saves": f"{shown(Path(run_plan.output.folder))}, every {loop.checkpoint_every_steps} "
        f"steps, {loop.keep_checkpoints}{' + best' if loop.keep_best else ''} of {checkpoint} kept",
    }
    title = "Ready to start" if not draft.simulated else "Ready to be saved"
    lines = [line(Span(f" {title}", "strong")), EMPTY]
    for label, text in facts.items():
        for number, part in enumerate(filled(text, 66)[:2]):
            lines.append(line(Span(f"   {'' if number else label:10}", "dim"), part))
    return lines


def _memory(plan: Plan, ready: ReadyPlan) -> str:
    needed = ready.answer.memory.needed
    side = max(
        tenths(needed.high_bytes) - tenths(needed.expected_bytes),
        tenths(needed.expected_bytes) - tenths(needed.low_bytes),
    )
    told = f"{gib(needed.expected_bytes)} ± {tenths_text(side)} GiB"
    if plan.budget is None:
        return told
    return f"{told} of {memory_text(plan.budget)} on {short_place(plan.budget)}"


def _time(ready: ReadyPlan) -> str:
    time = ready.expectation.time
    if time is None:
        return "unknown for this hardware"
    run = time.on_card
    ends = f"{duration_text(run.low)} to {duration_text(run.high)}"
    return f"≈ {duration_text(run.expected)} ({ends}), {step_text(time.step.expected)} a step"


def _price(price: Price) -> str:
    """Both ways to pay, or that neither is known."""
    home, rent = price.home_usd, price.rented_usd
    if home is None and rent is None:
        return "unknown for this hardware"
    energy = price.owned and price.owned.energy
    kwh = "" if not energy else f" ({kwh_text(energy)})"
    hired = "no offer of this card is known"
    if price.rented is not None:
        hired = f"{short_usd(rent)} rented at {price.rented.offer.provider}"
    return f"{short_usd(home)} at home{kwh}; {hired}"


def shown(path: Path) -> str:
    """A path below the working folder without it."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def check_lines(found: Sequence[Check], *, busy: bool, simulated: bool) -> list[Line]:
    """What was checked, and what that came to."""
    lines = [EMPTY, line(Span(" Checked", "strong"))]
    if simulated:
        text = "a simulated card: nothing can be started on it, so the plan is saved"
        return [*lines, line(Span("   ! ", "tight"), text)]
    for check in found:
        sign, role = _SIGN[check.state]
        for number, part in enumerate(filled(_told(check.text), 73)):
            lines.append(line(Span(f"   {sign if number == 0 else ' '} ", role), part))
        for hint in check.hints:
            lines += [
                line(Span("     ", "dim"), Span(part, "dim")) for part in filled(_told(hint), 73)
            ]
    if busy:
        lines.append(line(Span("   … checking packages, data, model, memory and disk", "dim")))
    return lines


def _told(text: str) -> str:
    """A message without options, and without the folder the person stands in."""
    return without_options(text).replace(f"{Path.cwd()}/", "")


def command_lines(text: str, width: int) -> list[Line]:
    """The command, on as many lines as it takes, so that it can be pasted."""
    room = max(30, width - 7)
    parts: list[str] = []
    for word in text.split(" "):
        longer = f"{parts[-1]} {word}" if parts else word
        if parts and len(longer) <= room:
            parts[-1] = longer
        else:
            parts.append(word)
    lines = [f"{part} \\" if number < len(parts) - 1 else part for number, part in enumerate(parts)]
    title = line(Span(" The same without the wizard", "strong"))
    return [EMPTY, title, *(line(f"   {each}" if n == 0 else f"     {each}")
                            for n, each in enumerate(lines))]  # fmt: skip


def side_lines(ready: ReadyPlan | None, *, simulated: bool, width: int) -> Iterator[Line]:
    """The explaining panel."""
    if ready is not None and not simulated:
        yield line(Span("What happens next", "strong"))
        yield EMPTY
        device = "the GPU" if ready.run_plan.hardware.device == "cuda" else "memory"
        steps = (
            ("get", "weights, if they are not here"),
            ("load", f"weights into {device}"),
            ("first step", "the prediction is checked"),
            ("train", f"{count_text(ready.steps)} steps"),
            ("save", "result and report"),
        )
        for number, (name, what) in enumerate(steps, start=1):
            yield line(f" {number} {name:12}", Span(what, "dim"))
        yield EMPTY
        yield line(Span("Nothing is lost", "strong"))
        yield EMPTY
        yield from _paragraph(
            "Training is a process of its own. Closing this window leaves it running; come back "
            "with tlplan watch.",
            width,
        )
        yield EMPTY
        yield line(Span("If memory runs out", "strong"))
        yield EMPTY
        yield from _paragraph(
            "The run stops with its last checkpoint, and what would fit is named.", width
        )
        return
    yield line(Span("With the saved plan", "strong"))
    yield EMPTY
    yield from _paragraph(
        "plan.yaml holds every choice with its reason. Copy it and the data to the machine with "
        "the card, and start it there with tlplan launch plan.yaml.",
        width,
    )


def _paragraph(text: str, width: int) -> Iterator[Line]:
    return (line(f" {each}") for each in filled(text, max(10, width - 1)))
