"""How text may look on a stream: its width, its signs and whether it has colour."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal, NamedTuple, TextIO

WIDTH = 80
"""No answer is wider, however wide the terminal."""

Meaning = Literal["fits", "tight", "over", "strong"]

# Blue, amber and vermillion stay apart for colour-blind eyes; 94, 33 and 31 come nearest to
# them in the sixteen colours a terminal's own theme sets.
_CODES: dict[Meaning, str] = {"fits": "94", "tight": "33", "over": "31", "strong": "1"}


class Style(NamedTuple):
    """Width in columns, and what the stream can show."""

    width: int = WIDTH
    unicode: bool = True
    color: bool = False

    @property
    def plus_minus(self) -> str:
        """Sign between a value and its interval."""
        return "±" if self.unicode else "+-"

    def bar(self, filled: int, width: int, *, beyond: bool = False) -> str:
        """A bar of `width` cells; `beyond` says with an arrow that it would go on."""
        full, empty, arrow = ("█", "░", "▶") if self.unicode else ("#", ".", ">")
        if beyond:
            return full * (width - 1) + arrow
        return full * filled + empty * (width - filled)

    def solid(self, cells: int) -> str:
        """A bar without a background."""
        return ("█" if self.unicode else "#") * cells

    def paint(self, text: str, meaning: Meaning) -> str:
        """The text in the colour of its meaning, where there is colour."""
        return f"\x1b[{_CODES[meaning]}m{text}\x1b[0m" if self.color else text

    def clean(self, text: str) -> str:
        """The text with every sign the stream cannot show replaced."""
        return text if self.unicode else text.encode("ascii", "replace").decode()


def style_for(
    stream: TextIO,
    environment: Mapping[str, str],
    *,
    color: str = "auto",
    ascii_only: bool = False,
) -> Style:
    """The style of a stream. `color` is auto, always or never."""
    return Style(
        width=_width(stream, environment),
        unicode=not ascii_only and _speaks_utf8(stream, environment),
        color=_wants_color(stream, environment, color),
    )


def _width(stream: TextIO, environment: Mapping[str, str]) -> int:
    columns = environment.get("COLUMNS", "")
    if columns.isdigit() and int(columns) > 0:
        return min(WIDTH, int(columns))
    if stream.isatty():
        try:
            return min(WIDTH, os.get_terminal_size(stream.fileno()).columns or WIDTH)
        except OSError:
            return WIDTH
    return WIDTH


def _speaks_utf8(stream: TextIO, environment: Mapping[str, str]) -> bool:
    # Python writes UTF-8 under LC_ALL=C, which says nothing about the terminal.
    forced = environment.get("LC_ALL", "")
    if forced and "utf" not in forced.lower():
        return False
    return (stream.encoding or "ascii").lower().replace("-", "").startswith("utf")


def _wants_color(stream: TextIO, environment: Mapping[str, str], color: str) -> bool:
    if color != "auto":
        return color == "always"
    plain = environment.get("NO_COLOR") or environment.get("TERM") == "dumb"
    return stream.isatty() and not plain
