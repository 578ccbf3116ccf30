"""One content in every format and layout people have gives the same rows."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from launcher.data.rows import read_data

ROWS = [
    {"prompt": "2 + 2 =", "completion": " 4"},
    {"prompt": 'Say "hi", twice:\nnow', "completion": " hi; hi \U0001f40b"},
    {"prompt": "3 + 3 =", "completion": " 6"},
]


def _jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _csv(separator: str) -> Callable[[list[dict[str, Any]]], bytes]:
    def write(rows: list[dict[str, Any]]) -> bytes:
        import csv
        import io

        file = io.StringIO()
        table = csv.DictWriter(file, list(rows[0]), delimiter=separator)
        table.writeheader()
        table.writerows(rows)
        return file.getvalue().encode("utf-8-sig")

    return write


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return bytes(sink.getvalue())


def _zstd(data: bytes) -> bytes:
    import pyarrow as pa

    return bytes(pa.compress(data, codec="zstd"))


FORMATS: dict[str, tuple[str, Callable[[list[dict[str, Any]]], bytes], tuple[int, ...]]] = {
    "JSON Lines": ("a.jsonl", _jsonl, (1, 2, 3)),
    "JSON Lines under another name": ("a.data", _jsonl, (1, 2, 3)),
    "JSON list": ("a.json", lambda rows: json.dumps(rows, indent=1).encode(), (2, 6, 10)),
    "JSON list on one line": ("a.json", lambda rows: json.dumps(rows).encode(), (1, 2, 3)),
    "JSON object with a list": (
        "a.json",
        lambda rows: json.dumps({"version": 1, "data": rows}, indent=1).encode(),
        (4, 8, 12),
    ),
    "CSV": ("a.csv", _csv(","), (2, 3, 5)),
    "CSV with semicolons": ("a.csv", _csv(";"), (2, 3, 5)),
    "TSV": ("a.tsv", _csv("\t"), (2, 3, 5)),
    "Parquet": ("a.parquet", _parquet, (1, 2, 3)),
    "Parquet in gzip": ("a.parquet.gz", lambda rows: gzip.compress(_parquet(rows)), (1, 2, 3)),
    "Parquet in zstd": ("a.parquet.zst", lambda rows: _zstd(_parquet(rows)), (1, 2, 3)),
    "gzip": ("a.jsonl.gz", lambda rows: gzip.compress(_jsonl(rows)), (1, 2, 3)),
    "bzip2": ("a.jsonl.bz2", lambda rows: bz2.compress(_jsonl(rows)), (1, 2, 3)),
    "xz": ("a.csv.xz", lambda rows: lzma.compress(_csv(",")(rows)), (2, 3, 5)),
    "zstd": ("a.jsonl.zst", lambda rows: _zstd(_jsonl(rows)), (1, 2, 3)),
    "gzip under another name": ("a.jsonl", lambda rows: gzip.compress(_jsonl(rows)), (1, 2, 3)),
}


@pytest.mark.parametrize(("name", "write", "lines"), FORMATS.values(), ids=FORMATS.keys())
def test_every_format_gives_the_same_rows(
    tmp_path: Path,
    name: str,
    write: Callable[[list[dict[str, Any]]], bytes],
    lines: tuple[int, ...],
) -> None:
    """Rows come back as written, each with the line an editor shows, or its number without any."""
    path = tmp_path / name
    path.write_bytes(write(ROWS))

    data = read_data(path)

    assert data.layout == "prompt_completion"
    assert list(data.rows) == ROWS
    assert data.row_lines == lines
    assert data.bytes_read == path.stat().st_size


def chat(*pairs: str) -> dict[str, Any]:
    """Messages of user and assistant in turn, a system message first when their number is odd."""
    roles = ["system"] * (len(pairs) % 2) + ["user", "assistant"] * (len(pairs) // 2)
    return {
        "messages": [
            {"role": role, "content": text} for role, text in zip(roles, pairs, strict=True)
        ]
    }


LAYOUTS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "ShareGPT": (
        {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]},
        "messages",
        chat("Q", "A"),
    ),
    "ShareGPT with a system": (
        {
            "system": "S",
            "conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}],
        },
        "messages",
        chat("S", "Q", "A"),
    ),
    "conversations in OpenAI's words": (
        {"conversations": chat("Q", "A")["messages"]},
        "messages",
        chat("Q", "A"),
    ),
    "text parts": (
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "Q"}]},
                {"role": "assistant", "content": "A"},
            ]
        },
        "messages",
        chat("Q", "A"),
    ),
    "Alpaca": (
        {"instruction": "Translate.", "input": "chat", "output": "cat"},
        "messages",
        chat("Translate.\n\nchat", "cat"),
    ),
    "Alpaca without an input": (
        {"instruction": "Q", "input": "", "output": "A"},
        "messages",
        chat("Q", "A"),
    ),
    "Alpaca with a history": (
        {"instruction": "Q2", "output": "A2", "history": [["Q", "A"]], "system": "S"},
        "messages",
        chat("S", "Q", "A", "Q2", "A2"),
    ),
    "input and output": ({"input": "Q", "output": "A"}, "messages", chat("Q", "A")),
    "question and answer": ({"question": "Q", "answer": "A"}, "messages", chat("Q", "A")),
    "prompt and response": ({"prompt": "Q", "response": "A"}, "messages", chat("Q", "A")),
    "chats in two parts": (
        {"prompt": chat("Q", "A")["messages"][:1], "completion": chat("Q", "A")["messages"][1:]},
        "messages",
        chat("Q", "A"),
    ),
    "text and label": (
        {"text": "T", "label": "good"},
        "text_label",
        {"text": "T", "label": "good"},
    ),
    "sentence and number": (
        {"sentence": "T", "label": 3},
        "text_label",
        {"text": "T", "label": "3"},
    ),
    "text and truth": (
        {"text": "T", "class": True},
        "text_label",
        {"text": "T", "label": "true"},
    ),
    "text": ({"text": "T"}, "text", {"text": "T"}),
}


@pytest.mark.parametrize(("written", "layout", "row"), LAYOUTS.values(), ids=LAYOUTS.keys())
def test_every_layout_becomes_one_of_five(
    tmp_path: Path, written: dict[str, Any], layout: str, row: dict[str, Any]
) -> None:
    """What people call the fields does not matter to anything that follows."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(_jsonl([written, written]))

    data = read_data(path)

    assert data.layout == layout
    assert data.rows == (row, row)
    assert data.notes == ()


def test_paragraphs_of_plain_text_are_rows(tmp_path: Path) -> None:
    """A blank line parts them; each keeps the line it starts on."""
    path = tmp_path / "book.txt"
    path.write_text("Call me\nIshmael.\n\n\nSome years ago,\nnever mind.\n")

    data = read_data(path)

    assert [row["text"] for row in data.rows] == [
        "Call me\nIshmael.",
        "Some years ago,\nnever mind.",
    ]
    assert data.row_lines == (1, 5)


def test_lines_are_rows_where_no_blank_line_parts_any(tmp_path: Path) -> None:
    """A list of sentences is no single paragraph."""
    path = tmp_path / "lines.txt"
    path.write_text("One.\nTwo.\nThree.")

    assert [row["text"] for row in read_data(path).rows] == ["One.", "Two.", "Three."]


def test_classes_that_are_numbers_stand_in_their_order(tmp_path: Path) -> None:
    """Class 10 comes after class 9."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(_jsonl([{"text": "T", "label": n} for n in (10, 9, 1)]))

    assert read_data(path).classes == ("1", "9", "10")


def test_text_with_labels_can_be_read_as_text(tmp_path: Path) -> None:
    """For those who want to generate such texts, not to tell them apart."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(_jsonl([{"text": "T", "label": "good"}]))

    data = read_data(path, labels_aside=True)

    assert data.layout == "text"
    assert 'nothing is learned from these fields: "label"' in data.notes[0]
