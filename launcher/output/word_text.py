"""An entry of the glossary, and the list of all, as lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hwdb.word import Word
from launcher.output.lines import filled

_INDENT = "  "


def word_lines(word: Word, width: int) -> list[str]:
    """What a word means, and what to read next."""
    room = width - len(_INDENT)
    lines = [word.name, *_indented(filled(word.short, room)), ""]
    lines += _indented(filled(word.text, room))
    if word.see:
        lines += ["", *_indented(filled(f"See also {', '.join(word.see)}.", room))]
    if word.source is not None:
        lines += _indented(filled(f"Source: {word.source}.", room))
    return lines


def list_lines(words: Sequence[Word], width: int) -> list[str]:
    """A line for each word, in the order of the alphabet; the sentence is cut where it must be."""
    column = max(len(word.name) for word in words) + 2
    room = width - column
    ordered = sorted(words, key=lambda word: word.name.lower())
    return [f"{word.name:{column}}{_cut(word.short, room)}" for word in ordered]


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 3]}..."


def _indented(lines: Sequence[str]) -> Iterator[str]:
    return (f"{_INDENT}{line}" for line in lines)
