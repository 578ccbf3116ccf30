"""Training rows that say nearly the same as a held-out row, which makes measuring worthless.

Rows are compared by runs of five words (shingles, Broder 1997). A held-out row counts as
repeated when most of its runs stand in one training row; runs that many held-out rows share,
such as a common system prompt, say nothing and are left out. Texts too short for that count
when their words are the same. In writing without spaces each character is a word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

_RUN = 5
_FEWEST_RUNS = 4
_MOST_WORDS_TO_TRY_ALL = 40
_MOST_WORDS_IN_A_SHORT_LINE = 60
"""The same of a line, with the names of fields and roles."""
_COMMON_SHARE = 0.05
_COMMON_ROWS = 3
REPEATED_SHARE = 0.6
"""Share of a held-out row's runs that must stand in one training row."""

_LONGEST_SHORT_TEXT = 200
"""Characters; above them a text of few words, such as a path, is left to the exact comparison."""
_PUNCTUATION = ".,;:!?\"'()"
_WITHOUT_SPACES = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])"
)
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese."""

Shingle = tuple[str, ...]


class NearRepeat(NamedTuple):
    """A training row and the held-out row it nearly repeats."""

    file: int
    line: int
    held_out: int
    """Index into the texts the index was made of."""
    share: float


@dataclass(frozen=True, slots=True)
class HeldOutIndex:
    """Which held-out rows have which runs of words."""

    rows_of: dict[Shingle, tuple[int, ...]]
    runs_of_row: dict[int, int]
    shingles: frozenset[Shingle]
    short: dict[tuple[str, ...], int]
    """The row of each text too short for runs, by its words alone."""

    @classmethod
    def of(cls, texts: Iterable[str]) -> HeldOutIndex:
        """Index texts; those without a word are left to the exact comparison."""
        texts = list(texts)
        sets = [frozenset(_runs(words_of(text))) for text in texts]
        spread = Counter(shingle for each in sets for shingle in each)
        limit = max(_COMMON_ROWS, _COMMON_SHARE * len(sets))
        rows_of: dict[Shingle, list[int]] = {}
        runs_of_row: dict[int, int] = {}
        short: dict[tuple[str, ...], int] = {}
        for row, shingles in enumerate(sets):
            if len(shingles) < _FEWEST_RUNS and (bare := _bare_words(texts[row])):
                short.setdefault(bare, row)
            telling = [each for each in shingles if spread[each] <= limit]
            if len(telling) < _FEWEST_RUNS:
                continue
            runs_of_row[row] = len(telling)
            for each in telling:
                rows_of.setdefault(each, []).append(row)
        return cls(
            {shingle: tuple(rows) for shingle, rows in rows_of.items()},
            runs_of_row,
            frozenset(rows_of),
            short,
        )

    def may_be_repeated_by(self, line: bytes) -> bool:
        """Whether a line of JSON is worth decoding for `repeated_by`: False is nearly certain.

        A long row that nearly repeats another shares a passage with it, and that passage reads
        the same in the line, whatever stands around it.
        """
        text = line.decode("utf-8", "replace").replace("\\n", " ").replace('\\"', '"')
        if "\\" in text:
            return True
        words = words_of(text)
        if len(words) <= _MOST_WORDS_IN_A_SHORT_LINE:
            return True
        return not self.shingles.isdisjoint(_every_fifth(words))

    def repeated_by(self, text: str) -> tuple[int, float] | None:
        """The held-out row that a text nearly repeats and the share it repeats, None for none."""
        words = words_of(text)
        if self.short and len(words) < _RUN + _FEWEST_RUNS and (bare := _bare_words(text)):
            same = self.short.get(bare)
            if same is not None:
                return same, 1.0
        # Where a long passage is repeated, one run in five of it is found as well.
        if len(words) > _MOST_WORDS_TO_TRY_ALL and self.shingles.isdisjoint(_every_fifth(words)):
            return None
        shared = self.shingles.intersection(_runs(words))
        if len(shared) < _FEWEST_RUNS * REPEATED_SHARE:
            return None
        hits = Counter(row for shingle in shared for row in self.rows_of[shingle])
        row, count = max(hits.items(), key=lambda item: item[1] / self.runs_of_row[item[0]])
        share = count / self.runs_of_row[row]
        return (row, share) if share >= REPEATED_SHARE else None


def words_of(text: str) -> list[str]:
    """Words in small letters; each character is one where a language puts no spaces."""
    if not text.isascii():
        text = _WITHOUT_SPACES.sub(r" \1 ", text)
    return text.lower().split()


def _bare_words(text: str) -> tuple[str, ...]:
    """The words of a short text without punctuation; none of a longer one."""
    if len(text) > _LONGEST_SHORT_TEXT:
        return ()
    return tuple(bare for word in words_of(text) if (bare := word.strip(_PUNCTUATION)))


def _runs(words: list[str]) -> Iterable[Shingle]:
    return zip(words, words[1:], words[2:], words[3:], words[4:], strict=False)


def _every_fifth(words: list[str]) -> Iterable[Shingle]:
    return zip(*(words[start::_RUN] for start in range(_RUN)), strict=False)
