"""Data of which little can be learned, or nothing: an error with 4, or a warning what it means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from launcher.exit_codes import ExitCode
from tests.launcher.cli.program import Answer, tlplan

LANGUAGE = ("--model", "smollm2-135m", "--gpu", "24GiB")
CLASSIFIER = ("--model", "bert-base-uncased", "--gpu", "24GiB")
PICTURES = ("--model", "vit-base-patch16-224", "--gpu", "24GiB")


def rows_in(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A JSON Lines file."""
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def questions(count: int) -> list[dict[str, Any]]:
    """Rows of some twenty tokens."""
    asked = "This is question number {} of a person who wants to know it, is it not?"
    return [{"prompt": asked.format(n), "completion": f"Yes, {n}."} for n in range(count)]


def labelled(labels: list[Any]) -> list[dict[str, Any]]:
    """Texts, all different, with these labels."""
    return [{"text": f"Text number {n}", "label": label} for n, label in enumerate(labels)]


def planned(*words: str) -> Answer:
    """A plan as JSON."""
    return tlplan("plan", *words, "--json")


def test_an_empty_held_out_file_is_an_error(tmp_path: Path) -> None:
    """Nothing could be measured on it, so it is not taken silently."""
    data, empty = rows_in(tmp_path / "d.jsonl", questions(20)), rows_in(tmp_path / "e.jsonl", [])

    answer = planned(*LANGUAGE, "--data", str(data), "--held-out", str(empty))

    assert answer.code == ExitCode.BAD_DATA
    assert f"held-out rows: {empty}: is empty" in answer.out + answer.err

    answer = tlplan("data", str(data), "--held-out", str(empty))

    assert answer.code == ExitCode.BAD_DATA
    assert f"error: held-out rows: {empty}: has no rows" in answer.err


def test_a_plan_and_a_check_count_the_same_rows_held_out(tmp_path: Path) -> None:
    """By hash it is not just a tenth of them, and both say how many."""
    data = rows_in(tmp_path / "d.jsonl", questions(107))

    checked = json.loads(tlplan("data", str(data), "--json").out)["held_out"]["rows"]
    answer = planned(*LANGUAGE, "--data", str(data))

    assert checked != round(107 / 10)
    assert f"warning: {checked} rows are held out: too few to tell a gain" in answer.err


def test_rows_that_are_all_too_long_are_told(tmp_path: Path) -> None:
    """They can be trained on, cut; a person may have meant another limit."""
    data = rows_in(tmp_path / "d.jsonl", questions(20))

    answer = planned(*LANGUAGE, "--data", str(data), "--seq", "8")

    assert answer.code == ExitCode.DONE
    assert "warning: all rows have more than 8 tokens and are cut there" in answer.err


def test_one_example_is_planned_and_told_to_be_too_few(tmp_path: Path) -> None:
    """Nothing is held out, and a prompt is the better place for it."""
    data = rows_in(tmp_path / "d.jsonl", questions(1))

    answer = planned(*LANGUAGE, "--data", str(data))

    assert answer.code == ExitCode.DONE
    assert json.loads(answer.out)["plan"]["data"]["held_out_fraction"] == 0
    assert "1 row is too few to hold any out" in answer.err
    assert "1 example: try them in the prompt first" in answer.err


def test_one_class_is_an_error(tmp_path: Path) -> None:
    """There is nothing to tell apart; looking at the data says so too."""
    data = rows_in(tmp_path / "d.jsonl", labelled(["same"] * 20))

    answer, looked = planned(*CLASSIFIER, "--data", str(data)), tlplan("data", str(data))

    assert answer.code == ExitCode.BAD_DATA
    for told in (answer.out + answer.err, looked.out):
        assert "there is nothing to tell apart" in told


def test_labels_of_mixed_types_are_read_as_text_and_told(tmp_path: Path) -> None:
    """1 and "1" are then one class, which may not be what was meant."""
    data = rows_in(tmp_path / "d.jsonl", labelled([1, "1", True, "no"] * 5))

    looked = json.loads(tlplan("data", str(data), "--json").out)

    assert looked["labels"] == {"1": 10, "no": 5, "true": 5}
    assert "labels are numbers and text and true or false" in str(looked["findings"])
    assert planned(*CLASSIFIER, "--data", str(data)).code == ExitCode.DONE


@pytest.mark.parametrize("content", [b"hello", b"", b"\x89PNG but no more"])
def test_pictures_that_are_none_are_named(tmp_path: Path, content: bytes) -> None:
    """By their path, whatever their name says."""
    for label in ("cat", "dog"):
        (tmp_path / "d" / label).mkdir(parents=True)
        (tmp_path / "d" / label / "1.png").write_bytes(content)

    answer = planned(*PICTURES, "--data", str(tmp_path / "d"))

    assert answer.code == ExitCode.BAD_DATA
    assert "d/cat/1.png: image: is " in answer.out + answer.err
