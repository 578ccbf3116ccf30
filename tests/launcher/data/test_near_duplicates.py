"""Rows that nearly repeat a held-out one, and the lines that need not be decoded to see it."""

from __future__ import annotations

import json

import pytest

from launcher.data.near_duplicates import HeldOutIndex
from launcher.data.private import personal_data_in

LONG = " ".join(f"word{number}" for number in range(90))
CHINESE = "\u5929\u5730\u7384\u9ec3\u5b87\u5b99\u6d2a\u8352\u65e5\u6708\u76c8\u6603"
OTHER = " ".join(f"thing{number}" for number in range(90))


def line(question: str) -> bytes:
    """A row as it stands in a file."""
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": OTHER}]
    return json.dumps({"messages": messages}).encode()


@pytest.mark.parametrize(
    "question",
    [
        LONG,
        f"Please tell me: {LONG} Thank you.",
        LONG.replace("word30", 'word30 "quoted"\nand'),
        LONG.replace("word30", "wörd \\ path"),
        LONG.upper(),
    ],
    ids=["as it is", "within more", "with escapes", "with a backslash", "in capitals"],
)
def test_a_line_that_nearly_repeats_is_never_passed_over(question: str) -> None:
    """Whatever JSON makes of its characters."""
    index = HeldOutIndex.of([LONG])

    assert index.repeated_by(question) is not None
    assert index.may_be_repeated_by(line(question))


def test_a_line_that_says_something_else_is_passed_over() -> None:
    """That is what saves the second reading of a large file; short lines are always looked at."""
    index = HeldOutIndex.of([LONG])

    assert not index.may_be_repeated_by(line(OTHER))
    assert index.may_be_repeated_by(b'{"text": "Short."}')


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Call +49 30 1234567.", ["phone number"]),
        ("My number is 078-05-1120.", ["social security number"]),
        ("Card 4111 1111 1111 1111.", ["card number"]),
        ("Ticket 12345678 of 2026.", []),
        ("In 8 of 10 cases.", []),
    ],
)
def test_numbers_of_people_are_seen(text: str, kinds: list[str]) -> None:
    """By their digits and how they are written; a ticket's number is nobody's."""
    assert personal_data_in(text) == kinds


@pytest.mark.parametrize(
    ("held_out", "train"),
    [
        ("What is a fuse?", "what is a fuse"),
        (CHINESE, CHINESE[:-1]),
    ],
    ids=["short", "without spaces"],
)
def test_short_texts_and_those_without_spaces_are_compared_too(held_out: str, train: str) -> None:
    """Seven words make too few runs, and a Chinese sentence has one word between blanks."""
    index = HeldOutIndex.of([held_out])

    assert index.repeated_by(train) is not None
    assert index.repeated_by("12 - 2 =") is None


def test_signs_are_no_punctuation() -> None:
    """Sums that differ in their sign say different things."""
    assert HeldOutIndex.of(["12 + 2 ="]).repeated_by("12 - 2 =") is None
