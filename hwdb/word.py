"""A word of the field, said in one sentence and then in a few."""

from __future__ import annotations

from typing import NamedTuple


class Word(NamedTuple):
    """One entry of the glossary."""

    id: str
    """Short name, unique in hwdb."""
    name: str
    """As it is written in a sentence."""
    aliases: tuple[str, ...]
    """Other names, among them those the screens use; none is shared with another entry."""
    short: str
    """One sentence."""
    text: str
    """What follows from it for a fine-tune."""
    see: tuple[str, ...]
    """Ids of entries to read next."""
    source: str | None
    """Where it was first or best described; None for everyday words."""


def normal_word(text: str) -> str:
    """A word in the form in which words are compared."""
    return " ".join(text.lower().replace("-", " ").replace("_", " ").split())


def names_of(word: Word) -> tuple[str, ...]:
    """Every name an entry is found by, in the form in which words are compared."""
    return tuple(dict.fromkeys(map(normal_word, (word.id, word.name, *word.aliases))))
