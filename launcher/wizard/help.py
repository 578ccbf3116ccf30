"""What is this? Words of the glossary about what is focused, and the keys of the screen."""

from __future__ import annotations

from collections.abc import Sequence

import hwdb
from hwdb.word import Word
from launcher.output.lines import filled
from launcher.view.spans import EMPTY, Line, Span, line
from launcher.wizard.overlay import Overlay
from launcher.wizard.widgets.key_bar import Key


def help_lines(words: Sequence[Word], keys: Sequence[Key], width: int) -> list[Line]:
    """The first word in full, the others in a sentence each, then the keys."""
    lines: list[Line] = []
    for number, word in enumerate(words):
        lines.append(line(Span(word.name, "strong")))
        lines += [line(f"  {each}") for each in filled(word.short, width - 2)]
        if number == 0:
            lines += [line(Span(f"  {each}", "dim")) for each in filled(word.text, width - 2)]
            lines.append(EMPTY)
    lines.append(EMPTY)
    lines += [
        line(Span(part, "dim")) for part in filled(
            "Keys: " + ", ".join(f"{key.key} {key.does.lower()}" for key in keys), width
        )
    ]  # fmt: skip
    lines.append(line(Span("tlplan explain WORD prints an entry with its source.", "dim")))
    return lines


def help_overlay(topics: Sequence[str], keys: Sequence[Key]) -> Overlay:
    """What is focused, explained."""
    words = [hwdb.find_word(name) for name in topics]
    return Overlay(lambda width: help_lines(words, keys, width))
