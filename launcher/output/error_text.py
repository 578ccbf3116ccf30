"""A known error as lines: what it is, why, what to do, and where it was read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from hwdb.known_error import KnownError, Sighting
from launcher.output.lines import filled

_LABEL = 7
_ASKED = re.compile(r"Tried to allocate ([\d.]+ [KMG]iB)")
_FREE = re.compile(r"capacity of ([\d.]+ [KMG]iB) of which ([\d.]+ [KMG]iB) is free")


def log_lines(place: str, found: Sequence[Sighting], width: int) -> list[str]:
    """What a log says: the last known error in full, the others by their lines."""
    last = found[-1]
    lines = [_cut(f"{place}:{last.line_number}: {last.line}", width), ""]
    lines += error_lines(last.error, last.line, width)
    others = Counter(each.error.title for each in found)
    del others[last.error.title]
    if others:
        lines.append("")
        for title, count in others.items():
            first = next(each for each in found if each.error.title == title)
            often = f", {count} times" if count > 1 else ""
            lines.append(_cut(f"Before  {place}:{first.line_number}: {title}{often}", width))
    return lines


def error_lines(error: KnownError, text: str, width: int) -> list[str]:
    """Title, what the text itself tells, cause, next steps."""
    lines = [error.title, ""]
    told = _numbers(text)
    if told:
        lines += _labelled("Told", told, width)
    lines += _labelled("Why", error.cause, width)
    for number, step in enumerate(error.next):
        lines += _labelled("" if number else "Next", step, width)
    if error.word is not None:
        lines += _labelled("More", f"tlplan explain {error.word}", width)
    return lines


def _numbers(text: str) -> str | None:
    asked, free = _ASKED.search(text), _FREE.search(text)
    if asked is None:
        return None
    told = f"{asked[1]} more were asked for"
    return told if free is None else f"{told}, {free[2]} of {free[1]} were free"


def _labelled(label: str, text: str, width: int) -> Iterator[str]:
    for number, part in enumerate(filled(text, width - 2 - _LABEL)):
        yield f"  {label if number == 0 else '':{_LABEL}}{part}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."
