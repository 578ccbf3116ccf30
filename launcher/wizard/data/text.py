"""The third step in words: what the file is, how long its rows are, and whether to train on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from launcher.data.hub_name import HubName
from launcher.download_meter import Download
from launcher.errors import TlplanError
from launcher.output.lines import filled
from launcher.output.numbers import count_text, filled_cells, gib
from launcher.view.spans import EMPTY, Line, Role, Span, cut_text, line
from launcher.view.words import download_text, one_line
from launcher.wizard.draft import ChosenData
from launcher.wizard.wording import without_options
from planner.advice.should_you import Advice
from planner.loop import held_out_rows
from planner.memory.estimate import Fits
from planner.plan import MethodAnswer, at_length

_HISTOGRAM_COLUMNS = 36
_BLOCKS = " ▁▂▃▄▅▆▇█"
_LAYOUTS = {
    "messages": "chat (messages with role and content)",
    "prompt_completion": "prompt and completion",
    "text": "plain text",
    "text_label": "text and label",
    "image_label": "images by class",
}
_EXAMPLES = (
    ("chat", '{"messages": [{"role": "user", "content": "Hi"},'),
    ("", '              {"role": "assistant", "content": "Hello"}]}'),
    ("prompt", '{"prompt": "2 + 2 =", "completion": " 4"}'),
    ("text", '{"text": "Any text to learn from."}'),
    ("labels", '{"text": "My order is late", "label": "delivery"}'),
)
_FIT_ROLE: dict[Fits | None, Role] = {"yes": "fits", "tight": "tight", "no": "over", None: "dim"}


def empty_lines(candidates: Sequence[str]) -> list[Line]:
    """What is said before a file is named: what would do, and what is here."""
    lines = [
        EMPTY,
        line(" Type a path (tab completes it), or org/name of a Hub data set. JSON Lines,"),
        line(" JSON, CSV, Parquet and text are read; pictures in a folder for each class."),
        line(" In JSON, one of:"),
        EMPTY,
        *(line(Span(f"   {label:9}", "dim"), text) for label, text in _EXAMPLES),
    ]
    if candidates:
        lines += [EMPTY, line(Span(" Here", "strong"))]
        across = [candidates[at : at + 3] for at in range(0, min(12, len(candidates)), 3)]
        for names in across:
            lines.append(line("   " + "".join(f"{cut_text(name, 23):25}" for name in names)))
    return lines


def on_hub_lines(name: HubName) -> list[Line]:
    """What Enter does with the name of a data set on the Hub."""
    return [
        EMPTY,
        line(f" Enter fetches the data set {name.repository} from the Hub and reads it."),
        line(" org/name:split takes one split or configuration, org/name@revision a revision."),
    ]


def reading_lines(path: str, download: Download | None) -> list[Line]:
    """That it is read, or how much of it is here."""
    if download is None or download.finished:
        return [EMPTY, line(f"   reading {path} …")]
    return [EMPTY, line(f"   downloading {path}: {download_text(download)}")]


def problem_lines(failure: TlplanError, width: int) -> list[Line]:
    """What is wrong with a file, a line each."""
    lines = [EMPTY]
    for number, part in enumerate(filled(without_options(one_line(failure.message)), width - 13)):
        label = "   error    " if number == 0 else " " * 12
        lines.append(line(Span(label, "over"), part))
    for hint in failure.hints:
        for number, part in enumerate(filled(without_options(one_line(hint)), width - 13)):
            label = "   also     " if number == 0 else " " * 12
            lines.append(line(Span(label, "dim"), part))
    return lines


def file_lines(data: ChosenData, *, narrow: bool = False) -> list[Line]:
    """Layout, rows and how long they are."""
    facts, lengths = data.facts, data.lengths
    held = held_out_rows(facts)
    share = f"{100 * held / facts.rows:.0f} %" if held else "none"
    layout = _LAYOUTS.get(facts.layout, facts.layout)
    layout += f", written as {data.found_as}" if data.found_as else ""
    counted = "" if lengths.exact else f" (≈, {lengths.how.partition(' (')[0]})"
    sign = "" if lengths.exact else "≈ "
    about = [
        line(Span("   Layout            ", "dim"), cut_text(layout, 58)),
        line(
            Span("   Held out          ", "dim"),
            f"{share}   ({count_text(held)} of {count_text(facts.rows)} examples)",
        ),
        *_class_lines(facts.class_counts),
    ]
    if facts.layout == "image_label":
        text = f"each picture becomes {count_text(lengths.longest)} tokens"
        return [*about, line(Span("   Length            ", "dim"), text)]
    picture = Span(f"   {histogram(lengths.per_row, _HISTOGRAM_COLUMNS)}", "measured")
    told = (
        f"  median {sign}{count_text(lengths.percentile(50))}"
        f"  95 % {count_text(lengths.percentile(95))}  max {count_text(lengths.longest)}"
    )
    return [
        *about,
        EMPTY,
        line(Span(cut_text(f" Length of an example, tokens{counted}", 79), "dim")),
        *([line(picture), line(f" {told}")] if narrow else [line(picture, told)]),
    ]


def _class_lines(counts: Sequence[tuple[str, int]]) -> list[Line]:
    """How many classes, and the share of the largest ones."""
    if not counts:
        return []
    rows = sum(count for _, count in counts)
    shares = [
        f"{cut_text(one_line(name), 14)} {100 * count / rows:.0f} %" for name, count in counts
    ]
    text = f"{len(counts)}: {', '.join(shares)}"
    return [line(Span("   Classes           ", "dim"), cut_text(text, 58))]


def histogram(values: Sequence[int], columns: int) -> str:
    """How many values fall into each of `columns` equal bins from 0 to the largest."""
    largest = max(values)
    counts = [0] * columns
    for value in values:
        counts[min(columns - 1, value * columns // (largest + 1))] += 1
    most = max(counts)
    return "".join(_BLOCKS[max(1, round(8 * n / most))] if n else " " for n in counts)


def truncation_note(data: ChosenData, tokens: int) -> str:
    """What a limit costs: "cuts 1.9 % of the examples"."""
    share = data.lengths.share_above(tokens)
    return "cuts none" if share == 0 else f"cuts {percent_text(share)} of the examples"


def percent_text(share: float) -> str:
    """A share as percent, never 0.0 for something."""
    return "under 0.1 %" if 0 < share < 0.001 else f"{100 * share:.1f} %"


def advice_lines(advice: Advice | None, width: int) -> list[Line]:
    """Whether to fine-tune at all, and what else to know."""
    if advice is None:
        return []
    lines = [EMPTY, line(Span(" Should you fine-tune?", "strong"))]
    yes = advice.advised != "in-context"
    said = f"Yes, {advice.advised}: " if yes else "Not yet: "
    lines += _wrapped(said + advice.reason + ".", width, "fits" if yes else "tight", "   ")
    for item in advice.items:
        if item.code in ("ADAPTERS_SUIT", "IN_CONTEXT_FIRST", "FULL_CAN_PAY"):
            continue  # the reason above says it
        sign, role = ("! ", "tight") if item.level == "warning" else ("- ", "plain")
        lines += _wrapped(without_options(item.text), width, role, f"   {sign}")  # type: ignore[arg-type]
    return lines


def _wrapped(text: str, width: int, role: Role, lead: str) -> list[Line]:
    parts = filled(text, max(20, width - 6))
    return [
        line(Span(lead if number == 0 else " " * len(lead), role), part)
        for number, part in enumerate(parts)
    ]


def example_lines(data: ChosenData, width: int) -> list[Line]:
    """The first rows, as they are learned from."""
    lines = [EMPTY, line(Span(" First examples", "strong"))]
    for row in data.first_rows:
        for label, text in _turns(row):
            lines.append(
                line(Span(f"   {cut_text(label, 10):11}", "dim"), cut_text(text, width - 15))
            )
    return lines


def _turns(row: dict[str, object]) -> Iterator[tuple[str, str]]:
    messages = row.get("messages")
    if isinstance(messages, list):
        for message in messages[:4]:
            yield str(message["role"]), one_line(str(message["content"]))
        return
    for field, value in row.items():
        yield field, one_line(str(value))


def side_lines(
    data: ChosenData | None, now: MethodAnswer | None, lengths: Sequence[int], width: int
) -> Iterator[Line]:
    """The explaining panel: what a longer limit costs, and what else can be read."""
    if data is not None and now is not None and data.facts.layout != "image_label":
        yield line(Span(f"What a longer limit costs ({now.method})", "strong"))
        yield EMPTY
        yield line(Span("   tokens    GiB            cut", "dim"))
        yield from _limit_lines(data, now, lengths)
        yield EMPTY
        yield from _paragraph(
            "The limit is the largest lever after the method: activations and logits grow with it.",
            width,
        )
        yield EMPTY
    yield line(Span("What tlplan reads", "strong"))
    yield EMPTY
    yield line(" chat     messages: [{role, content}]")
    yield line(" prompt   prompt, completion")
    yield line(" text     text")
    yield line(" labels   text, label")
    yield line(" images   a folder for each class")
    yield EMPTY
    yield line(Span("If a row is unreadable", "strong"))
    yield EMPTY
    yield from _paragraph(
        "It is named by file and line with what to mend; nothing is left out silently.", width
    )


def lengths_that_matter(lengths: Sequence[int], data: ChosenData | None) -> list[int]:
    """Up to seven: those that cut something, and the first that cuts nothing."""
    longest = data.lengths.longest if data is not None else 0
    cutting = [each for each in lengths if each < longest]
    whole = [each for each in lengths if each >= longest]
    return [*cutting[-5:], *whole[:2]]


def _limit_lines(data: ChosenData, now: MethodAnswer, lengths: Sequence[int]) -> Iterator[Line]:
    for tokens in lengths:
        answer = at_length(now, tokens)
        needed = answer.memory.needed.expected_bytes
        free = answer.verdict.capacity_bytes
        cells = 10
        full = cells if not free else filled_cells(needed, free, cells)
        bar = "█" * full + "░" * (cells - full)
        if free and needed > free:
            bar = "█" * (cells - 1) + "▶"
        cut = percent_text(data.lengths.share_above(tokens))
        pointer = "▸" if tokens == now.request.sequence_tokens else " "
        yield line(
            Span(f" {pointer} ", "chosen"), f"{count_text(tokens):>6} {gib(needed):>6} ",
            Span(bar, _FIT_ROLE[answer.verdict.fits]), f" {cut:>8}",
        )  # fmt: skip


def _paragraph(text: str, width: int) -> Iterator[Line]:
    return (line(f" {each}") for each in filled(text, max(10, width - 1)))
