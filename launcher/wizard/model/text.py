"""The second step in words: the list with verdicts, and what is known of the current model."""

from __future__ import annotations

from collections.abc import Iterator

import hwdb
from launcher.output.lines import filled
from launcher.output.numbers import count_text, filled_cells, gib, parameters_text
from launcher.view.spans import EMPTY, Line, Role, Span, cut_text, line
from launcher.wizard.head import short_place
from launcher.wizard.model.listing import Listed
from launcher.wizard.model.verdicts import NOT_PLANNED, Verdict
from planner.budget import Budget
from planner.memory.estimate import Fits
from planner.request import METHODS
from planner.shape import ModelShape

_BYTES_A_PARAMETER_ON_DISK = 2
_VERDICT: dict[Fits | None, Span] = {
    "yes": Span("✓ yes", "fits"),
    "tight": Span("! tight", "tight"),
    "no": Span("✗ no", "over"),
    None: Span("-", "dim"),
}
_MADE_FOR = {
    "text-classification": "sorts texts into classes",
    "image-classification": "sorts pictures into classes",
}
_WORKING = Span("…", "dim")
_WIDE, _NARROW = 9, 8
"""Columns of a verdict."""
_NAME = 31
"""The longest short name of hwdb has 29 letters; two that are cut would look the same."""


HEAD = line(
    Span(f"{'Model':{_NAME}}{'Params':>7}{'Context':>8}   ", "dim"),
    Span("".join(f"{method:{_WIDE}}" for method in METHODS), "dim"),
)


NARROW_HEAD = line(
    Span(f"{'Model':{_NAME}}{''.join(f'{method:{_NARROW}}' for method in METHODS)}", "dim")
)


def count_line(count: int, budget: Budget | None, width: int) -> Line:
    """How many rows the filter leaves, and what they are judged against where there is room."""
    where = "" if budget is None or width < 30 else f" on {cut_text(short_place(budget), 16)}"
    text = f"{count} model{'' if count == 1 else 's'}{where}"
    return line(Span(f"{text:>{max(1, width - 1)}} ", "dim"))


def model_row(row: Listed, verdict: Verdict | None, *, narrow: bool = False) -> Line:
    """One row: a model with its verdicts, or a name that can be read."""
    if row.kind == "to be read":
        where = "folder" if row.name.startswith((".", "~", "/")) else "Hub"
        return line(
            f"{cut_text(row.name, _NAME - 1 if narrow else 42):{_NAME if narrow else 43}}",
            Span("Enter reads it" if narrow else f"Enter reads its numbers ({where})", "dim"),
        )
    name = cut_text(row.name, _NAME - 1)
    facts = f"{name:{_NAME}}"
    facts += "" if narrow else f"{_parameters(row):>7}{_context(row):>8}   "
    if verdict is NOT_PLANNED:
        return line(facts, Span("cannot be planned yet", "dim"))
    spans = [Span(facts)]
    for method in METHODS:
        span = _WORKING if verdict is None else _VERDICT[verdict.fits.get(method)]
        spans += [span, Span(" " * ((_NARROW if narrow else _WIDE) - len(span.text)))]
    return tuple(spans)


def _parameters(row: Listed) -> str:
    if row.model is not None:
        return parameters_text(row.model.parameters)
    assert row.chosen is not None
    return parameters_text(row.chosen.planned.shape.parameters)


def _context(row: Listed) -> str:
    if row.model is not None:
        tokens = row.model.max_context_tokens
    else:
        assert row.chosen is not None
        tokens = row.chosen.planned.shape.max_context_tokens
    if tokens is None:
        return "-"
    return str(tokens) if tokens < 1024 else f"{tokens // 1024} k"


LEGEND = line(
    Span("   ✓ yes", "fits"), Span(" surely fits   ", "dim"),
    Span("! tight", "tight"), Span(" fits if the estimate is right   ", "dim"),
    Span("✗ no", "over"), Span(" does not fit", "dim"),
)  # fmt: skip


def detail_lines(
    row: Listed | None, *, instruct: bool, shape: ModelShape | None, here: bool, brief: bool = False
) -> list[Line]:
    """What is known of the current model, and what the signs mean; in `brief` its name alone."""
    if row is None:
        hint = "no model has these words; a Hub name such as org/model or a folder works too"
        return [EMPTY, line(Span(f" {hint}", "dim"))]
    if row.kind == "to be read":
        text = " Its config.json is read, nothing else is downloaded yet."
        return [EMPTY, line(Span(text, "dim"))]
    name = hub_name(row, instruct=instruct) or row.name
    facts = []
    if row.model is not None and row.model.hub_id and row.model.instruct_hub_id:
        facts.append("instruct ◂▸ base" if instruct else "base ◂▸ instruct")
    if row.model is not None and row.model.gated:
        facts.append("gated: needs an accepted licence")
    if row.model is not None and row.model.task in _MADE_FOR:
        facts.append(_MADE_FOR[row.model.task])
    if row.used_before:
        facts.append("used before")
    if here:
        facts.append("weights are here")
    lines = [EMPTY, line(Span(f" {name}", "strong"), f"   {', '.join(facts)}")]
    if brief:
        return lines
    if shape is not None:
        lines.append(line(Span(f"   {_shape_text(shape)}", "dim")))
    return [*lines, LEGEND]


def hub_name(row: Listed, *, instruct: bool) -> str | None:
    """Name on the Hub of the base or the instruct model."""
    if row.model is None:
        return row.chosen.planned.hub_id if row.chosen else None
    if instruct and row.model.instruct_hub_id:
        return row.model.instruct_hub_id
    return row.model.hub_id or row.model.instruct_hub_id


def _shape_text(shape: ModelShape) -> str:
    if shape.image_tokens is not None:
        size = f"{shape.layers} layers, hidden {shape.hidden_size}"
        return f"{size}, {shape.image_tokens} tokens a picture"
    heads, width = shape.sizes.get("n"), shape.sizes.get("d")
    facts = [f"{shape.layers} layers", f"hidden {shape.hidden_size}"]
    if heads and width:
        kv_heads = shape.sizes.get("k", heads * width) // width
        facts.append(f"{heads} heads ({kv_heads} for keys and values)")
    facts.append(f"vocabulary {count_text(shape.vocabulary_size)}")
    return ", ".join(facts)


def side_lines(
    row: Listed | None,
    verdict: Verdict | None,
    *,
    budget: Budget | None,
    instruct: bool,
    suggested: bool,
    width: int,
) -> Iterator[Line]:
    """The explaining panel."""
    if row is not None and row.kind != "to be read":
        yield from _model_facts(row, instruct=instruct, width=width)
        if suggested:
            of_language = row.model is None or row.model.task == "causal-lm"
            which = "among the largest open models whose lora surely fits here, the newest"
            if not of_language:
                which = "the newest open model of a usual size that surely fits here"
            yield from _paragraph(f"Suggested: {which}.", width)
        if verdict is not None and verdict is not NOT_PLANNED:
            yield EMPTY
            yield from _needs(verdict, budget, width)
        yield EMPTY
    yield line(Span("Not in the list?", "strong"))
    yield EMPTY
    yield from _paragraph(
        "Type a Hub name such as org/model, or a folder with a config.json. Its numbers are read, "
        "nothing is downloaded yet. The word classification brings up encoders and image models; "
        "rows with labels or pictures do so by themselves.",
        width,
    )
    yield EMPTY
    yield line(Span("Base or instruct?", "strong"))
    yield EMPTY
    yield from _paragraph(hwdb.find_word("base-model").text, width)


def _model_facts(row: Listed, *, instruct: bool, width: int) -> Iterator[Line]:
    yield line(Span(row.name, "strong"))
    yield EMPTY
    name = hub_name(row, instruct=instruct)
    if name is not None and name != row.name:
        yield line(f" {cut_text(name, width - 1)}")
    if row.model is None:
        assert row.chosen is not None
        parameters = row.chosen.planned.shape.parameters
    else:
        parameters = row.model.parameters
    yield line(f" {count_text(parameters)} parameters")
    size = gib(parameters * _BYTES_A_PARAMETER_ON_DISK)
    is_here = row.chosen is not None and row.chosen.planned.folder is not None
    yield line(f" about {size} GiB {'' if is_here else 'to download '}in 16 bits")
    if row.model is not None:
        gated = ", gated" if row.model.gated else ""
        yield line(f" licence: {row.model.license}{gated}")
        yield line(f" released {row.model.release_date}")


def _needs(verdict: Verdict, budget: Budget | None, width: int) -> Iterator[Line]:
    yield line(Span("Needs at 2 048 tokens, batch 1", "strong"))
    yield EMPTY
    free = None if budget is None else budget.free_bytes
    cells = max(4, width - 22)
    for method in METHODS:
        needed = verdict.needs_bytes[method]
        bar, role = "", "dim"
        if free:
            full = filled_cells(needed, free, cells)
            bar = "█" * (cells - 1) + "▶" if needed > free else "█" * full + "░" * (cells - full)
            role = _VERDICT[verdict.fits[method]].role
        bar_span: Span = Span(bar, role)  # type: ignore[arg-type]
        sign = _VERDICT[verdict.fits[method]]
        yield line(f" {method:6}", bar_span, f"{gib(needed):>6} ", sign)
    if free:
        yield EMPTY
        yield line(Span(f" GiB of {gib(free)} GiB", "dim"))


def _paragraph(text: str, width: int, role: Role = "plain") -> Iterator[Line]:
    return (line(Span(f" {each}", role)) for each in filled(text, max(10, width - 1)))
