"""Lines made of spans with a meaning each: what a screen shows, before anything has a colour."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Literal, NamedTuple

Role = Literal[
    "plain", "strong", "dim", "title", "measured", "predicted", "fits", "tight", "over", "chosen"
]
"""What a span is; themes decide how it looks. No role carries what the words do not say."""


class Span(NamedTuple):
    """Text of one role."""

    text: str
    role: Role = "plain"


Line = tuple[Span, ...]
EMPTY: Line = ()

# One sign for one sign, so that a line keeps its width.
_ASCII = str.maketrans(
    {
        **dict.fromkeys("█▇▆▅▄▌▊▉▋▍", "#"),
        **dict.fromkeys("▃▂▁▎▏", "_"),
        **dict.fromkeys("▓▒", "%"),
        **dict.fromkeys("░·", "."),
        **dict.fromkeys("┄─╌", "-"),
        **dict.fromkeys("│┊", "|"),
        "≈": "~",
        "\u2212": "-",
        "▸": ">",
        "•": "o",
        "●": "*",
        "°": " ",
        "…": ".",
        "→": ">",
        "✓": "+",
        "✗": "x",
        "↑": "^",
        "↓": "v",
        "━": "=",
        "╸": "=",
        "▲": "^",
        "±": "~",
    }
)


def line(*parts: str | Span) -> Line:
    """A line of spans; a bare text is plain."""
    return tuple(part if isinstance(part, Span) else Span(part) for part in parts)


def text_of(spans: Line) -> str:
    """The line without its roles."""
    return "".join(span.text for span in spans)


def width_of(spans: Line) -> int:
    """Columns of a line."""
    return sum(cells(span.text) for span in spans)


def cells(text: str) -> int:
    """Columns that a terminal gives a text: two for a wide sign, none for a combining one."""
    return len(text) if text.isascii() else sum(map(_cells_of_sign, text))


@cache
def _cells_of_sign(sign: str) -> int:
    if unicodedata.category(sign) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def cut(spans: Line, columns: int) -> Line:
    """The line in at most that many columns; what is cut ends with an ellipsis."""
    if width_of(spans) <= columns:
        return spans
    if columns <= 0:
        return EMPTY
    kept: list[Span] = []
    room = columns - 1
    for span in spans:
        if cells(span.text) > room:
            return (*kept, Span(_first_columns(span.text, room) + "…", span.role))
        kept.append(span)
        room -= cells(span.text)
    return tuple(kept)


def cut_text(text: str, columns: int) -> str:
    """A text in at most that many columns."""
    if cells(text) <= columns:
        return text
    return _first_columns(text, columns - 1) + "…" * (columns > 0)


def _first_columns(text: str, columns: int) -> str:
    """As much of the text as stands in that many columns."""
    if text.isascii():
        return text[: max(0, columns)]
    room = columns
    for at, sign in enumerate(text):
        room -= _cells_of_sign(sign)
        if room < 0:
            return text[:at]
    return text


def fitted(spans: Line, columns: int) -> Line:
    """The line in exactly that many columns."""
    spans = cut(spans, columns)
    missing = columns - width_of(spans)
    return (*spans, Span(" " * missing)) if missing > 0 else spans


def wrapped(spans: Line, columns: int) -> list[Line]:
    """The line on as many lines as it takes, those below the first indented like its text."""
    if width_of(spans) <= columns:
        return [spans]
    words = [
        Span(word, span.role) for span in spans for word in re.findall(r"\s*\S+|\s+", span.text)
    ]
    indent = _indent(spans, columns)
    lines: list[list[Span]] = [[]]
    room = columns
    for word in words:
        if cells(word.text) > room and lines[-1] and word.text.strip():
            lines.append([Span(" " * indent)])
            room = columns - indent
            word = Span(word.text.lstrip(), word.role)  # noqa: PLW2901 - it begins a line
        if word.text.strip() or cells(word.text) <= room:  # blanks at the end of a line are none
            lines[-1].append(word)
            room -= cells(word.text)
    return [cut(tuple(each), columns) for each in lines]


def _indent(spans: Line, columns: int) -> int:
    """Columns before a line's text: those of a label and the blanks around it."""
    text = text_of(spans)
    labelled = re.match(r"\s*\S.{0,18}?\s{2,}(?=\S)", text)
    indent = labelled.end() if labelled else len(text) - len(text.lstrip())
    return indent if indent < columns // 2 else 2


def between(left: Line, right: Line, columns: int) -> Line:
    """`left` at the left edge and `right` at the right edge; the left one gives way."""
    right = cut(right, columns)
    room = columns - width_of(right) - (2 if right else 0)
    return (*fitted(left, max(0, room)), Span("  " if right else ""), *right)


def beside(left: Sequence[Line], right: Sequence[Line], *, columns: int, side: int) -> list[Line]:
    """Two columns with a rule between them; the right one is `side` wide with its rule."""
    rows = max(len(left), len(right))
    joined = []
    for row in range(rows):
        first = left[row] if row < len(left) else EMPTY
        second = right[row] if row < len(right) else EMPTY
        rule = Span("│ ", "dim")
        joined.append((*fitted(first, columns - side), rule, *cut(second, side - 2)))
    return joined


def as_ascii(text: str) -> str:
    """The text for a terminal that shows no more than ASCII, as wide as before."""
    return text.translate(_ASCII).encode("ascii", "replace").decode()


def plain_text(lines: Iterable[Line]) -> str:
    """Lines as a person reads them, without trailing blanks."""
    return "\n".join(text_of(each).rstrip() for each in lines) + "\n"
