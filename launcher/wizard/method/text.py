"""The fourth step in words: three methods, where the memory goes, and why one is recommended."""

from __future__ import annotations

from collections.abc import Iterator

import hwdb
from launcher.output.check_table import memory_parts
from launcher.output.lines import filled
from launcher.output.numbers import count_text, filled_cells, gib, shares, tenths, tenths_text
from launcher.view.spans import EMPTY, Line, Role, Span, cut_text, line
from launcher.wizard.draft import RunForecast
from launcher.wizard.head import memory_text, short_place
from launcher.wizard.price import Price, home_text, rented_text, short_usd
from launcher.wizard.settings import Setting, Situation
from launcher.wizard.wording import without_options
from planner.memory.estimate import Fits
from planner.memory.interval import Basis
from planner.plan import MethodAnswer, Plan
from planner.units import duration_text

_BAR = 8
_PART_BAR = 12
_VERDICT = 18
_TIME = 10
_PRICE = 8
_SIGN: dict[Fits | None, tuple[str, Role]] = {
    "yes": ("✓ ", "fits"),
    "tight": ("! ", "tight"),
    "no": ("✗ ", "over"),
    None: ("", "dim"),
}


def title_text(plan: Plan) -> str:
    """What is decided here, and against what."""
    budget = plan.budget
    where = "" if budget is None else f" on {short_place(budget)}, {memory_text(budget)}"
    return cut_text(f"How should it train?   {plan.model.id}{where}", 78)


HEAD = line(
    Span(f"{'Method':8}{'Needs GiB':14}{'Of free':{_BAR + 2}}", "dim"),
    Span(f"{'Verdict':{_VERDICT}}{'Time':{_TIME}}{'At home':{_PRICE}}Rented", "dim"),
)


NARROW_HEAD = line(Span(f"{'Method':8}{'Needs GiB':14}{'Verdict':{_VERDICT}}Time", "dim"))


def method_row(answer: MethodAnswer, run: RunForecast, *, narrow: bool = False) -> Line:
    """One method: what it needs of the memory, whether it fits, time and price of the run."""
    needed, verdict = answer.memory.needed, answer.verdict
    side = max(
        tenths(needed.high_bytes) - tenths(needed.expected_bytes),
        tenths(needed.expected_bytes) - tenths(needed.low_bytes),
    )
    need = f"{gib(needed.expected_bytes):>5} ± {tenths_text(side)}"
    sign, role = _SIGN[verdict.fits]
    told = Span(f"{sign + verdict_text(answer):{_VERDICT}}", role)
    if narrow:
        return line(f"{answer.method:8}{need:14}", told, time_text(run.seconds))
    return line(
        f"{answer.method:8}{need:14}", Span(f"{_bar(answer):{_BAR}}  ", role),
        told,
        f"{time_text(run.seconds):{_TIME}}{short_usd(run.price.home_usd):{_PRICE}}",
        short_usd(run.price.rented_usd),
    )  # fmt: skip


def time_text(seconds: float | None) -> str:
    """Such as "≈ 16 min"."""
    return "unknown" if seconds is None else f"≈ {duration_text(seconds)}"


def verdict_text(answer: MethodAnswer) -> str:
    """Such as "yes, 3.7 spare", of the numbers as they are shown."""
    verdict = answer.verdict
    if verdict.fits is None or verdict.capacity_bytes is None:
        return "unknown"
    spare = tenths(verdict.capacity_bytes) - tenths(answer.memory.needed.expected_bytes)
    if verdict.fits == "no":
        return f"no, {tenths_text(-spare)} short"
    return f"{verdict.fits}, {tenths_text(spare)} spare"


def short_text(answer: MethodAnswer) -> str:
    """Such as "32.6 GiB short"."""
    return f"{verdict_text(answer).split()[1]} GiB short"


def _bar(answer: MethodAnswer) -> str:
    capacity = answer.verdict.capacity_bytes
    if not capacity:
        return ""
    needed = answer.memory.needed.expected_bytes
    if needed > capacity:
        return "█" * (_BAR - 1) + "▶"
    full = filled_cells(needed, capacity, _BAR)
    return "█" * full + "░" * (_BAR - full)


def recommended_lines(plan: Plan, ways: tuple[tuple[str, str], ...]) -> list[Line]:
    """The method to take and why, or what would make one fit."""
    recommended = plan.recommendation
    if recommended is not None:
        text = f"Recommended: {recommended.method}. {recommended.reason}"
        return [EMPTY, *(line(f" {part}") for part in filled(text, 78))]
    if plan.fits:
        return [EMPTY, line(" The memory is unknown, so nothing is recommended.")]
    lines = [EMPTY, line(Span(" None of the three fits. Each of these alone would do:", "over"))]
    return lines + [
        line(f"   {without_options(what):24}", Span(why, "dim")) for what, why in ways[:4]
    ]


def breakdown_lines(answer: MethodAnswer) -> list[Line]:
    """Where the memory of a method goes, adding up to what is shown."""
    memory = answer.memory
    shown = shares(memory_parts(answer), memory.device.expected_bytes)
    largest = max(shown.values()) or 1
    lines = [line(Span(f" {answer.method}, GiB", "strong"))]
    for name, count in shown.items():
        if count:
            full = max(1, round(_PART_BAR * count / largest))
            bar = "█" * full + "░" * (_PART_BAR - full)
            lines.append(
                line(f"   {cut_text(name, 24):25}{tenths_text(count):>4} ", Span(bar, "measured"))
            )
    lines.append(line(Span(f"{'─' * 5:>33}", "dim")))
    lines.append(line(f"   {'peak':25}{gib(memory.device.expected_bytes):>4}"))
    return lines


def basis_text(basis: Basis, device: str) -> str:
    """How sure the numbers are."""
    if basis.runs is None:
        return f"{basis.tier}, not yet checked on measured runs of this kind"
    if basis.median_error_fraction is None:
        return f"{basis.tier}, checked on {basis.runs} measured runs"
    of = "resident" if device == "cpu" else "allocated"
    percent = 100 * basis.median_error_fraction
    told = "below 0.1" if percent < 0.1 else f"{percent:.1f}"
    return f"{basis.tier}; {basis.runs} measured runs: median error {told} % of {of}"


def foot_lines(answer: MethodAnswer, setting: Setting | None, reason: str | None) -> list[Line]:
    """How sure this is; while a setting is focused, why it is what it is."""
    if setting is not None:
        why = f": {reason}" if reason else f". {hwdb.find_word(setting.word).short}"
        text = f"{setting.label} {setting.value}{why}"
        return [EMPTY, *(line(Span(f" {part}", "dim")) for part in filled(text, 78)[:2])]
    text = f" Basis: {basis_text(answer.memory.basis, answer.request.device)}"
    return [EMPTY, line(Span(cut_text(text, 79), "dim"))]


def difference_text(
    before: tuple[MethodAnswer, RunForecast], after: tuple[MethodAnswer, RunForecast]
) -> str | None:
    """What a change came to: "lora 19.4 to 22.7 GiB (+3.3), ≈ 2 min to 3 min"; None: nothing."""
    first, second = (each.memory.needed.expected_bytes for each, _ in (before, after))
    told = []
    if tenths(first) != tenths(second):
        sign = "+" if second >= first else "−"
        change = tenths_text(abs(tenths(second) - tenths(first)))
        told.append(f"{gib(first)} to {gib(second)} GiB ({sign}{change})")
    (ran, earlier), (runs, now) = (
        (time_text(run.seconds), (run.price.home_usd, run.price.rented_usd))
        for _, run in (before, after)
    )
    if ran != runs:
        told.append(f"{ran} to {runs.removeprefix('≈ ')}")
    for where, usd, usd_now in zip(("at home", "rented"), earlier, now, strict=True):
        if short_usd(usd) != short_usd(usd_now):
            told.append(f"{short_usd(usd)} to {short_usd(usd_now)} {where}")
    return f"{after[0].method} {', '.join(told)}" if told else None


def why_lines(at: Situation, price: Price, width: int) -> Iterator[Line]:
    """The explaining panel: why, when another, how far, what it costs, how sure."""
    plan, chosen = at.plan, at.answer
    recommended = plan.recommendation
    yield line(Span(f"Why {recommended.method if recommended else 'none'}", "strong"))
    yield EMPTY
    for number, answer in enumerate(plan.answers, start=1):
        for part_number, part in enumerate(filled(_sentence(answer), max(10, width - 4))):
            lead = f" {number} " if part_number == 0 else "   "
            yield line(f"{lead}{part}")
    yield from _room_lines(chosen)
    yield from _price_lines(price, width)
    yield EMPTY
    yield line(Span("How sure is this", "strong"))
    yield EMPTY
    text = (
        f"{basis_text(chosen.memory.basis, chosen.request.device)}. The ± is the wider side of an "
        "interval that holds nine times out of ten."
    )
    yield from (line(f" {part}") for part in filled(text[0].upper() + text[1:], max(10, width - 1)))


def _room_lines(chosen: MethodAnswer) -> Iterator[Line]:
    """How far rows and batch could still go; without the ways that are gone to the end."""
    tokens, rows = chosen.largest_sequence_tokens, chosen.largest_micro_batch
    if not tokens or not rows:
        return
    batch, now = chosen.request.micro_batch, chosen.request.sequence_tokens
    yield EMPTY
    yield line(Span(f"Room to grow with {chosen.method}", "strong"))
    yield EMPTY
    of_pictures = chosen.shape.image_tokens is not None
    if tokens > now and not of_pictures:
        yield line(f" batch {batch} at {count_text(tokens)} tokens")
    if rows > batch:
        at = "" if of_pictures else f" at {count_text(now)} tokens"
        yield line(f" batch {count_text(rows)}{at}")
    elif tokens <= now or of_pictures:
        yield line(" none: this is as far as surely fits")


def _price_lines(price: Price, width: int) -> Iterator[Line]:
    yield EMPTY
    yield line(Span("What the run costs", "strong"))
    yield EMPTY
    for name, text in (("home", home_text(price)), ("rented", rented_text(price))):
        for number, part in enumerate(filled(text, max(10, width - 9))):
            yield line(f" {'' if number else name:8}{part}")


def _sentence(answer: MethodAnswer) -> str:
    verdict, method = answer.verdict, answer.method
    if verdict.capacity_bytes is None:
        return f"{method} needs {gib(answer.memory.needed.expected_bytes)} GiB."
    if verdict.fits == "no":
        short = verdict_text(answer).split()[1]
        return f"{method} needs {short} GiB more than is free."
    spare = verdict_text(answer).split()[1]
    extra = {
        "full": "it trains every weight, learns and forgets most",
        "lora": "the weights stay as they are, small matrices learn",
        "qlora": "its weights have 4 bits, which costs a little accuracy",
    }[method]
    if verdict.fits == "tight":
        return f"{method} fits only if the estimate is right, {spare} GiB to spare; {extra}."
    end = gib(answer.memory.needed.high_bytes)
    return f"{method} fits with {spare} GiB to spare (the band ends at {end}); {extra}."
