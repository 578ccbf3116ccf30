"""Answers that break off, told from how all the others end: few signs in one, plain in many."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

_CLOSES = frozenset(".!?:\"')]}>*`\u3002\uff01\uff1f\u2026\u201d\u2019\u00bb\u300d")
"""What a whole answer of sentences or of code ends with."""
_GOES_ON = frozenset(",;-(\uff0c\u3001")
_NEVER_LAST = frozenset(
    (
        *("the", "an", "and", "or", "of", "with", "because", "which", "whose", "my", "your", "our"),
        *("und", "oder", "der", "ein", "eine", "einen", "mit", "weil", "dass"),
        *("et", "ou", "une", "des", "avec", "que", "los", "las", "una", "con"),
    )
)
"""Words that no English, German, French or Spanish sentence ends with."""
_ITEM = re.compile(r"\s*(?:[-*+\u2022]|\d+[.)])\s")
_FEWEST_WORDS = 4
_FEWEST_CHARACTERS = 80
_LONGEST_TAIL = 30
_LAST_CHARACTERS = 10
_FEWEST_ROWS = 20
_CLOSED_SHARE = 0.8
_FEWEST_AT_LIMIT = 5
_SHORTEST_LIMIT = 100
_KINDS_OF_LENGTH = 10
_CROWD = 0.8
"""Of the longest answer: how many are nearly as long says how many would be by chance."""
_TIMES_BY_CHANCE = 10.0
_PLACES_KEPT = 100_000

Spot = tuple[int, int, str]
"""File, line and field."""


@dataclass(slots=True)
class AnswerEnds:
    """How the answers seen so far end."""

    rows: int = 0
    closed: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    """Answers by their characters."""
    dangling: list[Spot] = field(default_factory=list)
    """Those that seem to go on, if answers here are whole sentences."""
    longest: int = 0
    open_at_longest: list[Spot] = field(default_factory=list)
    tails_at_longest: set[str] = field(default_factory=set)

    def take(self, answer: str, spot: Spot) -> None:
        """Add one answer that does not show by itself that it is cut."""
        self.rows += 1
        length = len(answer)
        self.lengths[length] += 1
        closed = answer[-1] in _CLOSES or answer.rstrip()[-1:] in _CLOSES
        if length >= self.longest:
            self._take_longest(answer, spot, closed=closed)
        if closed:
            self.closed += 1
        elif len(self.dangling) < _PLACES_KEPT and _seems_to_go_on(answer.rstrip()):
            self.dangling.append(spot)

    def _take_longest(self, answer: str, spot: Spot, *, closed: bool) -> None:
        if len(answer) > self.longest:
            self.longest = len(answer)
            self.open_at_longest, self.tails_at_longest = [], set()
        if not closed and len(self.open_at_longest) < _PLACES_KEPT:
            self.open_at_longest.append(spot)
            self.tails_at_longest.add(answer[-_LAST_CHARACTERS:])

    def add(self, other: AnswerEnds, line_shift: int) -> None:
        """Take in those of a later part of the same file."""
        self.rows += other.rows
        self.closed += other.closed
        self.lengths.update(other.lengths)
        room = _PLACES_KEPT - len(self.dangling)
        self.dangling += _moved(other.dangling[:room], line_shift)
        if other.longest > self.longest:
            self.longest, self.open_at_longest, self.tails_at_longest = other.longest, [], set()
        if other.longest == self.longest:
            self.open_at_longest += _moved(other.open_at_longest, line_shift)
            self.tails_at_longest |= other.tails_at_longest

    def cut(self) -> Iterator[tuple[Spot, str]]:
        """Each answer that breaks off, judged by all of them, and what it shows that by."""
        at_limit = set(self.open_at_longest) if self._has_limit() else set()
        for spot in sorted(at_limit):
            yield spot, f"breaks off at {self.longest} characters, as {len(at_limit)} answers do"
        if self.rows >= _FEWEST_ROWS and self.closed >= _CLOSED_SHARE * self.rows:
            for spot in self.dangling:
                if spot not in at_limit:
                    yield spot, "ends in the middle of a sentence, unlike most answers"

    def _has_limit(self) -> bool:
        """Whether far more answers are of the greatest length than chance would have, all open.

        Forms and hashes are all of one length, and end alike or are most of the rows.
        """
        found, all_there = len(self.open_at_longest), self.lengths[self.longest]
        if self.longest < _SHORTEST_LIMIT or not _FEWEST_AT_LIMIT <= found <= self.rows / 2:
            return False
        alike = len(self.tails_at_longest) < 0.8 * found or found < 0.8 * all_there
        if alike or len(self.lengths) < _KINDS_OF_LENGTH:
            return False
        start = int(_CROWD * self.longest)
        crowd = sum(self.lengths[length] for length in range(start, self.longest))
        return found >= _TIMES_BY_CHANCE * crowd / (self.longest - start)


def _seems_to_go_on(answer: str) -> bool:
    last_line = answer[answer.rfind("\n") + 1 :]
    words = last_line.split()
    if len(words) < _FEWEST_WORDS:
        return False
    if (answer[-1] in _GOES_ON and not _ITEM.match(last_line)) or words[-1] in _NEVER_LAST:
        return True
    tail = last_line[max(last_line.rfind(end) for end in (". ", "? ", "! ")) + 1 :]
    began = len(tail) < len(last_line) and len(tail) > _LONGEST_TAIL
    if len(answer) < _FEWEST_CHARACTERS or not began or _ITEM.match(last_line):
        return False
    # An address, a path or a name of a program ends where it wants.
    return words[-1].isalpha()


def _moved(spots: list[Spot], line_shift: int) -> list[Spot]:
    return [(file, line + line_shift, field) for file, line, field in spots]
