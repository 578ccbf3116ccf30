"""What `tlplan data` prints: the file in a few lines, each bad row, what to look at, advice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from launcher.data.checkup import Checkup
from launcher.data.findings import PLACES_SHOWN
from launcher.output.lines import filled
from launcher.output.numbers import count_text
from launcher.output.style import Style
from launcher.view.words import file_size
from planner.advice.situation import AdviceItem

PROBLEMS_SHOWN = 100
LABELS_SHOWN = 8
_LAYOUT_WORDS = {
    "messages": "chats",
    "prompt_completion": "prompts and completions",
    "text": "plain text",
    "text_label": "texts with labels",
    "image_label": "pictures with labels",
}


def data_text(
    checkup: Checkup,
    advice: Sequence[AdviceItem],
    style: Style,
    following: str | None,
    *,
    ways: Sequence[str] = (),
    distance: Mapping[str, Any] | None = None,
) -> str:
    """The whole answer; `following` is the command to go on with, None where no row is usable.

    `ways` are lines on what each way would take, `distance` is what `--distance` measured.
    """
    parts = [
        [*_about(checkup), *_distance(distance)],
        _problems(checkup),
        _findings(checkup, style),
        _advice(advice, style),
        ways,
        [] if following is None else [f"Next  {following}"],
    ]
    return "\n\n".join("\n".join(part) for part in map(list, parts) if part) + "\n"


def _about(checkup: Checkup) -> Iterator[str]:
    yield f"{'File':<10}{_file_words(checkup)}"
    layout = "unknown" if checkup.layout is None else _LAYOUT_WORDS[checkup.layout]
    found = f", written as {checkup.found_as}" if checkup.found_as else ""
    yield f"{'Layout':<10}{layout}{found}"
    bad = f", {count_text(checkup.bad_rows)} bad" if checkup.bad_rows else ""
    yield f"{'Rows':<10}{count_text(checkup.rows)} good{bad}"
    if checkup.labels:
        yield f"{'Classes':<10}{_labels(checkup)}"
    lengths = checkup.lengths
    if lengths is not None:
        yield (
            f"{'Tokens':<10}{count_text(min(lengths.per_row))} to {count_text(lengths.longest)} "
            f"a row, mean {count_text(round(lengths.mean))}, 95 % up to "
            f"{count_text(lengths.percentile(95))}, {count_text(sum(lengths.per_row))} in all"
        )
        yield f"{'':<10}{lengths.how}"
    yield f"{'Held out':<10}{count_text(checkup.held_out_rows)}, {checkup.held_out_how}"
    if checkup.unused_fields:
        named = ", ".join(f'"{name}"' for name, _ in checkup.unused_fields[:6])
        yield f"{'Unused':<10}nothing is learned from {named}"
    yield f"{'Verdict':<10}{checkup.verdict}"


def _distance(found: Mapping[str, Any] | None) -> Iterator[str]:
    """The model's own loss here and on general text, and what their difference means."""
    if found is None:
        return
    apart = found["distance_nats"]
    yield (
        f"{'Distance':<10}{apart['value']:+.2f} nats a token ({apart['low']:+.2f} to "
        f"{apart['high']:+.2f}): {found['loss_on_rows']:.2f} on {found['rows']} rows, "
        f"{found['loss_on_general_text']:.2f} on general"
    )
    yield f"{'':<10}text; at 0 the rows surprise the model as that does, at +1 every"
    yield f"{'':<10}token 2.7 times as much"


def _file_words(checkup: Checkup) -> str:
    size = file_size(checkup.bytes_on_disk)
    if len(checkup.files) == 1:
        return f"{checkup.path}, {size}"
    return f"{checkup.path}, {count_text(len(checkup.files))} files, {size}"


def _labels(checkup: Checkup) -> str:
    ranked = sorted(checkup.labels, key=lambda item: -item[1])
    shown = ", ".join(f"{label} {count_text(count)}" for label, count in ranked[:LABELS_SHOWN])
    more = f", {len(ranked) - LABELS_SHOWN} more" if len(ranked) > LABELS_SHOWN else ""
    return f"{len(ranked)}: {shown}{more}"


def _problems(checkup: Checkup) -> Iterator[str]:
    if not checkup.bad_rows:
        return
    by_row = "; rows are named by number" if checkup.numbers_rows else ""
    yield f"Bad rows  {count_text(checkup.bad_rows)}; a launch refuses them{by_row}"
    for problem in checkup.problems[:PROBLEMS_SHOWN]:
        yield f"  {problem.describe()}"
    left = checkup.bad_rows - min(len(checkup.problems), PROBLEMS_SHOWN)
    if left > 0:
        yield f"  ... and {count_text(left)} more; --fix OUT lists them all"


def _findings(checkup: Checkup, style: Style) -> Iterator[str]:
    if not checkup.findings:
        return
    yield "Look at"
    for finding in checkup.findings:
        mark = "!" if finding.level == "warning" else "-"
        first, *rest = filled(finding.text, style.width - 4)
        yield f"  {style.paint(mark, 'tight' if mark == '!' else 'strong')} {first}"
        yield from (f"    {line}" for line in rest)
        yield from (f"      {place}" for place in finding.places[:PLACES_SHOWN])
        if finding.rows > PLACES_SHOWN and finding.places:
            yield f"      ... and {count_text(finding.rows - PLACES_SHOWN)} more"


def _advice(advice: Sequence[AdviceItem], style: Style) -> Iterator[str]:
    if not advice:
        return
    yield "Advice"
    for item in advice:
        first, *rest = filled(item.text, style.width - 4)
        yield f"  - {first}"
        yield from (f"    {line}" for line in rest)
