"""What one name can stand for: several files, a folder of them, pictures by class."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from launcher.data.checkup import check_up
from launcher.data.rows import read_data
from launcher.data.sources import source_of
from launcher.errors import DataError

ROWS = [{"prompt": f"{n} + 1 =", "completion": f" {n + 1}"} for n in range(3)]
CSV_OF_THE_OTHERS = b"prompt,completion\n1 + 1 =, 2\n2 + 1 =, 3\n"


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    """Rows as JSON Lines."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def test_files_of_a_folder_are_read_in_turn(tmp_path: Path) -> None:
    """One layout over several files and formats, each row with its own file and line."""
    (tmp_path / "a.jsonl").write_bytes(jsonl(ROWS[:1]))
    (tmp_path / "b.csv").write_bytes(CSV_OF_THE_OTHERS)
    (tmp_path / "README.md").write_text("No rows.")

    data = read_data(tmp_path)

    assert list(data.rows) == ROWS
    assert data.place(0) == f"{tmp_path}/a.jsonl:1"
    assert data.place(2) == f"{tmp_path}/b.csv:3"


def test_a_pattern_names_several_files(tmp_path: Path) -> None:
    """As a shell would, for those who quote it."""
    for name in ("part-1.jsonl", "part-2.jsonl", "other.jsonl"):
        (tmp_path / name).write_bytes(jsonl(ROWS[:1]))

    assert len(read_data(tmp_path / "part-*.jsonl").rows) == 2


def test_another_layout_in_a_second_file_is_an_error_with_its_place(tmp_path: Path) -> None:
    """The message names both places."""
    (tmp_path / "a.jsonl").write_bytes(jsonl(ROWS))
    (tmp_path / "b.jsonl").write_bytes(jsonl([{"text": "T"}]))

    with pytest.raises(DataError) as caught:
        read_data(tmp_path)

    assert caught.value.message == (
        f'{tmp_path}/b.jsonl:1: mixed layouts: this row is "text", {tmp_path}/a.jsonl:1 is '
        '"prompt" and "completion" (keep one layout in a file)'
    )


def test_files_named_test_are_no_training_data(tmp_path: Path) -> None:
    """A folder that brings its own test file is not trained on it."""
    (tmp_path / "train.jsonl").write_bytes(jsonl(ROWS))
    (tmp_path / "test.jsonl").write_bytes(jsonl(ROWS))

    source = source_of(tmp_path)

    assert [file.name for file in source.files] == ["train.jsonl"]
    assert source.held_out is not None
    assert [file.name for file in source.held_out.files] == ["test.jsonl"]


def _picture(path: Path, shade: int) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), shade).save(path)


def test_pictures_in_a_folder_for_each_class_are_rows(tmp_path: Path) -> None:
    """The folder's name is the class."""
    _picture(tmp_path / "cat" / "1.png", 0)
    _picture(tmp_path / "cat" / "2.jpg", 1)
    _picture(tmp_path / "dog" / "1.bmp", 2)

    data = read_data(tmp_path)

    assert data.layout == "image_label"
    assert [(Path(row["image"]).name, row["label"]) for row in data.rows] == [
        ("1.png", "cat"),
        ("2.jpg", "cat"),
        ("1.bmp", "dog"),
    ]
    assert data.classes == ("cat", "dog")


def test_a_table_of_paths_is_the_same(tmp_path: Path) -> None:
    """Paths are relative to the table."""
    _picture(tmp_path / "pictures" / "1.png", 0)
    (tmp_path / "labels.csv").write_text("file_name,label\npictures/1.png,7\n")

    data = read_data(tmp_path / "labels.csv")

    assert data.rows == ({"image": str(tmp_path / "pictures" / "1.png"), "label": "7"},)


def test_notes_beside_folders_of_pictures_are_no_rows(tmp_path: Path) -> None:
    """Neither running text, nor what lies among the pictures of a class."""
    for name in ("cat/1.png", "dog/1.png"):
        _picture(tmp_path / name, 0)
    (tmp_path / "about.txt").write_text("Taken in May.")
    (tmp_path / "cat" / "notes.json").write_text('[{"text": "grey"}]')

    assert read_data(tmp_path).layout == "image_label"


def test_a_picture_that_breaks_off_is_named_by_its_path(tmp_path: Path) -> None:
    """The check decodes each one; its first bytes look well."""
    _picture(tmp_path / "cat" / "1.png", 0)
    _picture(tmp_path / "dog" / "1.png", 1)
    torn = tmp_path / "dog" / "1.png"
    torn.write_bytes(torn.read_bytes()[:50])

    (problem,) = check_up(tmp_path).problems

    assert problem.describe().startswith(f"{torn}: image: cannot be decoded: ")


@pytest.mark.parametrize("wrapped", [False, True])
def test_rows_of_a_document_on_one_line_are_numbered(tmp_path: Path, wrapped: bool) -> None:
    """A list, or an object that holds one: line 1 would name all of its rows."""
    path = tmp_path / "train.json"
    rows = [{"text": "a"}, {"text": "b"}, {"text": 3}]
    path.write_text(json.dumps({"data": rows} if wrapped else rows))

    found = check_up(path)

    assert found.rows == 2
    assert found.numbers_rows
    assert (
        found.problems[0].describe()
        == f"{path}:3: text: must be text, not a number (write it as a string)"
    )


def test_a_list_beside_or_among_pictures_is_taken_for_what_it_says(tmp_path: Path) -> None:
    """The names of the classes are no rows; metadata.jsonl of an ImageFolder are the rows."""
    for name in ("classes/cat/1.png", "classes/dog/1.png", "listed/train/1.png"):
        _picture(tmp_path / name, 0)
    (tmp_path / "classes" / "classes.json").write_text('{"0": "cat", "1": "dog"}')
    row = {"file_name": "1.png", "label": "cat"}
    (tmp_path / "listed" / "train" / "metadata.jsonl").write_bytes(jsonl([row]))

    assert read_data(tmp_path / "classes").classes == ("cat", "dog")
    assert read_data(tmp_path / "listed").classes == ("cat",)


def test_equal_rows_of_two_files_are_named(tmp_path: Path) -> None:
    """Short ones and pictures too, which have no runs of words to be alike by."""
    for shade, name in enumerate(("train/cat/1.png", "train/dog/2.png", "test/cat/9.png")):
        _picture(tmp_path / "pictures" / name, shade)
    (tmp_path / "texts").mkdir()
    for name, numbers in (("train", range(9)), ("test", range(8, 12))):
        rows = [{"prompt": f"{n} + 1 =", "completion": f" {n + 1}"} for n in numbers]
        (tmp_path / "texts" / f"{name}.jsonl").write_bytes(jsonl(rows))
    copy = tmp_path / "pictures" / "test" / "dog" / "3.png"
    copy.parent.mkdir()
    copy.write_bytes((tmp_path / "pictures" / "train" / "dog" / "2.png").read_bytes())

    for kind, train, test in (
        ("texts", "texts/train.jsonl:9", "texts/test.jsonl:1"),
        ("pictures", "pictures/train/dog/2.png", "pictures/test/dog/3.png"),
    ):
        (leak,) = (f for f in check_up(tmp_path / kind).findings if f.code == "LEAKAGE")
        assert leak.places == (
            f"{tmp_path}/{train}: repeats 100 % of {tmp_path}/{test} (remove one of them)",
        )


def test_a_pipe_is_refused_where_it_would_be_read_twice(tmp_path: Path) -> None:
    """At once: opening it would wait for somebody to write."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with pytest.raises(DataError, match="is a pipe"):
        check_up(pipe)
