"""`tlplan explain` says what a word means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import hwdb
from hwdb.known_error import KnownError
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


@pytest.mark.parametrize("error", hwdb.all_known_errors(), ids=lambda error: error.id)
def test_every_known_error_is_told_from_its_text(error: KnownError) -> None:
    """The example is recognised as itself, also inside a line of a log."""
    (found,) = hwdb.sightings([f"2026-11-20 02:14:00 [rank0]: {error.example}"],
                              hwdb.all_known_errors())  # fmt: skip

    assert found.error.id == error.id


@pytest.mark.parametrize(
    "text",
    [
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
        "RuntimeError: CUDA error: out of memory",
        "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "RuntimeError: Triton Error [CUDA]: out of memory",
    ],
)
def test_the_four_texts_of_a_full_card_mean_the_same(text: str) -> None:
    """PyTorch, CUDA, cuBLAS and Triton each say it in words of their own."""
    (found,) = hwdb.sightings([text], hwdb.all_known_errors())

    assert found.error.id == "gpu-out-of-memory"


def test_the_text_of_an_error_is_explained() -> None:
    """What it tells itself, why it happens, and what to do."""
    text = hwdb.all_known_errors()[0].example
    answer = tlplan("explain", text)

    check_golden("explain/gpu-out-of-memory.txt", transcript(("explain", "ERROR"), answer, {}))


def test_a_log_is_explained_by_its_last_error(tmp_path: Path) -> None:
    """With file and line, and what was said before; as text, by a pipe and as JSON."""
    (tmp_path / "train.log").write_text(
        "step 1 loss 2.1\n{'loss': nan, 'grad_norm': 3.0}\nstep 3\n"
        "OSError: [Errno 28] No space left on device: 'checkpoint-3'\nbye\n"
    )

    answer = tlplan("explain", "train.log", folder=tmp_path)
    as_json = json.loads(tlplan("explain", "train.log", "--json", folder=tmp_path).out)

    assert answer.code == 0
    assert answer.out.startswith("train.log:4: OSError: [Errno 28] No space left")
    assert "The disk is full" in answer.out
    assert "Before  train.log:2: The loss became NaN or infinite" in answer.out
    assert [each["line"] for each in as_json["errors"]] == [2, 4]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("there", "is", "nothing", "known", "in", "this"), "no error that is known here"),
        (("nowhere.log",), "nowhere.log: no such file"),
        (("empty.log",), "no error in it that is known here"),
    ],
)
def test_what_is_not_known_is_said(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """Ends with 2 and nothing on stdout."""
    (tmp_path / "empty.log").touch()

    answer = tlplan("explain", *words, folder=tmp_path)

    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
