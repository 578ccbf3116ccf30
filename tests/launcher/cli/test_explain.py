"""`tlplan explain` says what a word means."""

from __future__ import annotations

import json

import pytest

import hwdb
from hwdb.word import Word, names_of
from tests.launcher.cli.program import check_golden, tlplan, transcript


def test_a_word_is_explained_in_a_few_lines() -> None:
    """The sentence, what follows from it, where to read on and who described it."""
    answer = tlplan("explain", "lora")

    check_golden("explain/lora.txt", transcript(("explain", "lora"), answer, {}))


def test_a_near_word_is_suggested_and_not_taken() -> None:
    """Ends with 2 and names the closest words."""
    answer = tlplan("explain", "quantisation")

    assert answer.code == 2
    assert answer.out == ""
    assert "did you mean quantization" in answer.err


def test_without_a_word_every_word_has_a_line() -> None:
    """In the order of the alphabet, none wider than the terminal."""
    answer = tlplan("explain")
    lines = answer.out.splitlines()

    assert len(lines) == len(hwdb.all_words())
    assert lines == sorted(lines, key=str.lower)
    assert max(map(len, lines)) <= 80


def test_programs_get_the_same_as_json() -> None:
    """One document with the entry's fields."""
    (word,) = json.loads(tlplan("explain", "catastrophic", "forgetting", "--json").out)["words"]

    assert word["id"] == "catastrophic-forgetting"
    assert word["short"]


@pytest.mark.parametrize("word", hwdb.all_words(), ids=lambda word: word.id)
def test_every_name_leads_to_its_word(word: Word) -> None:
    """Id, name and aliases, in upper case too."""
    for name in names_of(word):
        assert hwdb.find_word(name) == hwdb.find_word(name.upper()) == word


@pytest.mark.parametrize(
    "name",
    [
        *("transfer learning", "LoRA", "QLoRA", "full", "rank", "catastrophic forgetting"),
        *("negative transfer", "early stopping", "in-context learning", "checkpointing"),
        "packing",
    ],
)
def test_the_words_of_a_first_fine_tune_are_there(name: str) -> None:
    """What a newcomer meets first has an entry."""
    assert hwdb.find_word(name).text
