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
    "Parquet by name": ("train.parquet", b"?", "is no Parquet file, whatever its name says"),
    "SQLite": ("train.jsonl", b"SQLite format 3\x00", "is an SQLite database"),
    "one object": ("train.json", b'{\n"a": 1}', "is one JSON object without a list of rows in it"),
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
    "UTF-16": ('{"text": "a"}'.encode("utf-16"), "is UTF-16 text, not UTF-8", "save it as UTF-8"),
    "zip": (
        b"PK\x03\x04\x14",
        "is a zip archive (or an Office file)",
        "unpack it and name the folder",
    ),
    "picture": (
        b"\x89PNG\r\n\x1a\n",
        "is a picture",
        "name the folder with one folder for each class",
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


def test_a_folder_without_data_says_so() -> None:
    """Naming a folder is fine, as long as there is something in it."""
    Path("data").mkdir()
    with pytest.raises(DataError) as caught:
        read_data(Path("data"))

    assert caught.value.message == "data: is a folder without data files or folders of pictures"


def test_a_pattern_that_matches_nothing_is_named() -> None:
    """The pattern is shown as it was typed."""
    with pytest.raises(DataError, match=r"none-\*.jsonl: no file matches"):
        read_data(Path("none-*.jsonl"))


@pytest.mark.parametrize("name", ["train.jsonl.gz", "train.jsonl.xz", "train.jsonl.bz2"])
def test_a_broken_archive_is_named(name: str) -> None:
    """Half a download is no data."""
    import bz2
    import gzip
    import lzma

    packers = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}
    packed = packers[Path(name).suffix](b'{"text": "a"}\n' * 5000)

    failure = failure_of(name, packed[: len(packed) // 2])

    assert "and broken" in failure.message


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
