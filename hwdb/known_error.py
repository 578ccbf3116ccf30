"""An error of the field, known by its text: what it means and what to do next."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple


class KnownError(NamedTuple):
    """One cause, in all the words in which it is said."""

    id: str
    """Short name, unique in hwdb."""
    title: str
    """What happened."""
    patterns: tuple[str, ...]
    """Regular expressions, one of which is found in each of its texts."""
    example: str
    """A line as a library prints it."""
    cause: str
    """Why it happens."""
    next: tuple[str, ...]
    """What to do, the likeliest first."""
    exit_code: int | None
    """With which tlplan ends where this ends a run; None: with that of the failure behind it."""
    word: str | None
    """Id of the glossary's entry to read."""
    source: str
    """Where the text comes from, or who met it."""


class Sighting(NamedTuple):
    """A line of a text that says a known error."""

    error: KnownError
    line_number: int
    line: str


def sightings(lines: Iterable[str], known: Iterable[KnownError]) -> Iterator[Sighting]:
    """Each line that says a known error, in order; of several errors in a line the first known."""
    errors = tuple(known)
    any_of_them = _any(tuple(pattern for error in errors for pattern in error.patterns))
    for number, line in enumerate(lines, start=1):
        if any_of_them.search(line):
            error = next(each for each in errors if _any(each.patterns).search(line))
            yield Sighting(error, number, line.strip())


@cache
def _any(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{each})" for each in patterns))
