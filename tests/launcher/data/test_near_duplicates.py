"""Rows that nearly repeat a held-out one, and the lines that need not be decoded to see it."""

from __future__ import annotations

import json

import pytest

from launcher.data.near_duplicates import HeldOutIndex
from launcher.data.private import personal_data_in

LONG = " ".join(f"word{number}" for number in range(90))
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
