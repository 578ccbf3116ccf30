"""Scores of answers and of classes, each between 0 and 1, in plain Python."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TypeVar

Label = TypeVar("Label", int, str)

_WORD = re.compile(r"\w+", re.UNICODE)


def accuracy(truth: Sequence[Label], guessed: Sequence[Label]) -> float:
    """Share of rows that are right. Raises ValueError without rows."""
    if not truth or len(truth) != len(guessed):
        raise ValueError(f"accuracy needs rows on both sides, got {len(truth)}, {len(guessed)}")
    return sum(a == b for a, b in zip(truth, guessed, strict=True)) / len(truth)


def macro_f1(truth: Sequence[Label], guessed: Sequence[Label]) -> float:
    """Mean over the classes that occur in `truth` of 2 x right / (true + guessed) rows.

    A class with rows of its own that is never guessed counts as 0, as in scikit-learn.
    """
    if not truth or len(truth) != len(guessed):
        raise ValueError(f"macro-F1 needs rows on both sides, got {len(truth)}, {len(guessed)}")
    classes = sorted({*truth, *guessed})
    scores = []
    for each in classes:
        right = sum(a == b == each for a, b in zip(truth, guessed, strict=True))
        total = sum(a == each for a in truth) + sum(b == each for b in guessed)
        scores.append(2 * right / total)
    return sum(scores) / len(scores)


def normal(text: str) -> str:
    """Text as answers are compared: case, marks at the ends and runs of space do not matter."""
    composed = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(composed.split()).strip(" .,;:!?\"'`")


def exact_match(expected: str, answer: str) -> float:
    """1.0 when both say the same, else 0.0."""
    return float(normal(expected) == normal(answer))


def rouge_l(expected: str, answer: str) -> float:
    """F1 of the longest common subsequence of words (Lin 2004), 1.0 for equal texts."""
    left, right = _words(expected), _words(answer)
    if not left or not right:
        return float(left == right)
    common = _longest_common(left, right)
    return 2 * common / (len(left) + len(right))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _longest_common(left: Sequence[str], right: Sequence[str]) -> int:
    row = [0] * (len(right) + 1)
    for word in left:
        before = 0
        for index, other in enumerate(right, start=1):
            before, row[index] = (
                row[index],
                before + 1 if word == other else max(row[index], row[index - 1]),
            )
    return row[-1]
