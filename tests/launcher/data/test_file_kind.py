"""What is said of files that cannot be read as rows at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from launcher.data.problems import accepted_layouts
from launcher.data.rows import read_data
from launcher.errors import DataError


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages show the path as it was typed, here without a folder."""
    monkeypatch.chdir(tmp_path)


def failure_of(name: str, content: bytes) -> DataError:
    """The error that reading a file of this name and content ends in."""
    path = Path(name)
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_data(path)
    return caught.value


FOREIGN = {
    "empty": ("train.jsonl", b"", "is empty"),
    "blank": ("train.jsonl", b"\n \n\r\n", "has only blank lines"),
    "only a BOM": ("train.jsonl", b"\xef\xbb\xbf", "has only blank lines"),
    "CSV": ("train.csv", b"a,b\n1,2\n", "is a CSV table"),
    "CSV in capitals": ("TRAIN.CSV", b"a,b\n1,2\n", "is a CSV table"),
    "Parquet": ("train.jsonl", b"PAR1\x15\x04", "is a Parquet file"),
    "Parquet by name": ("train.parquet", b"?", "is a Parquet file"),
    "zip": ("train.jsonl", b"PK\x03\x04\x14", "is a zip archive (or an Office file)"),
    "binary": ("train.jsonl", b"\x7fELF\x00\x80", "is binary data"),
}


@pytest.mark.parametrize(("name", "content", "reason"), FOREIGN.values(), ids=FOREIGN.keys())
def test_another_kind_of_file_is_named_and_the_layouts_shown(
    name: str, content: bytes, reason: str
) -> None:
    """What the file is, and one example line of each layout."""
    failure = failure_of(name, content)

    assert failure.message == f"{name}: {reason}"
    assert failure.hints == accepted_layouts()


MENDABLE = {
    "gzip": (b"\x1f\x8b\x08", "is compressed with gzip", "unpack it first"),
    "UTF-16": ('{"text": "a"}'.encode("utf-16"), "is UTF-16 text, not UTF-8", "save it as UTF-8"),
    "JSON list": (
        b'[\n{"text": "a"}\n]',
        "is one JSON document over several lines, not one object a line",
        "write one row a line, for instance: jq -c '.[]' rows.json > rows.jsonl",
    ),
    "JSON list, tight": (
        b'[{"text": "a"},\n{"text": "b"}]',
        "is one JSON document over several lines, not one object a line",
        "write one row a line, for instance: jq -c '.[]' rows.json > rows.jsonl",
    ),
}


@pytest.mark.parametrize(("content", "reason", "mend"), MENDABLE.values(), ids=MENDABLE.keys())
def test_a_file_that_is_easily_mended_says_how(content: bytes, reason: str, mend: str) -> None:
    """The first hint is the shortest way to a usable file."""
    failure = failure_of("train.jsonl", content)

    assert failure.message == f"train.jsonl: {reason}"
    assert failure.hints == (mend, *accepted_layouts())


def test_a_missing_file_is_named() -> None:
    """The path is shown as it was typed."""
    with pytest.raises(DataError) as caught:
        read_data(Path("data/nowhere.jsonl"))

    assert caught.value.message == "data/nowhere.jsonl: no such file"
    assert caught.value.hints == ("check the path given with --data",)


def test_a_folder_is_not_a_file() -> None:
    """Naming the folder of the data is a common slip."""
    Path("data").mkdir()
    with pytest.raises(DataError) as caught:
        read_data(Path("data"))

    assert caught.value.message == "data: is a folder, not a file"
    assert caught.value.hints == ("name one .jsonl file in it",)


def test_a_file_one_may_not_read_is_named() -> None:
    """The hint is the command that mends it."""
    path = Path("train.jsonl")
    path.write_text('{"text": "a"}')
    path.chmod(0)
    with _without_root(), pytest.raises(DataError) as caught:
        read_data(path)

    assert caught.value.message == "train.jsonl: permission denied"
    assert caught.value.hints == ("try: chmod u+r train.jsonl",)


@contextmanager
def _without_root() -> Iterator[None]:
    """Root may read everything, so tests run as root step down for a moment."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
