"""Reading usable data files."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from launcher.data.dataset import LAYOUT_EXAMPLES, Layout
from launcher.data.rows import read_data

CHAT = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
    ]
}


def written(tmp_path: Path, content: bytes) -> Path:
    """A data file with that content."""
    path = tmp_path / "train.jsonl"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("layout", "row"),
    [
        ("messages", CHAT),
        ("prompt_completion", {"prompt": "2 + 2 =", "completion": " 4"}),
        ("prompt_completion", {"prompt": "", "completion": "Once upon a time"}),
        ("text", {"text": "Call me Ishmael. \U0001f40b"}),
    ],
)
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_each_layout_is_recognised(
    tmp_path: Path, layout: Layout, row: dict[str, Any], ensure_ascii: bool
) -> None:
    """Rows come back as they were written, escaped or not."""
    line = json.dumps(row, ensure_ascii=ensure_ascii)
    data = read_data(written(tmp_path, f"{line}\n{line}\n".encode()))

    assert data.layout == layout
    assert data.rows == (row, row)
    assert data.row_lines == (1, 2)
    assert data.notes == ()


@pytest.mark.parametrize("layout", LAYOUT_EXAMPLES)
def test_the_examples_shown_to_people_are_accepted(tmp_path: Path, layout: Layout) -> None:
    """A hint never shows a line that would be refused."""
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert read_data(written(tmp_path, LAYOUT_EXAMPLES[layout].encode())).layout == layout


@pytest.mark.parametrize(
    "content",
    [
        b'{"text": "a"}\n{"text": "b"}\n',
        b'{"text": "a"}\n{"text": "b"}',
        b'{"text": "a"}\r\n{"text": "b"}\r\n',
        b'\xef\xbb\xbf{"text": "a"}\n{"text": "b"}\n',
        b'  {"text": "a"}\n{"text": "b"}\t\n',
        b'{"text": "z", "text": "a"}\n{"text": "b"}\n',
    ],
    ids=["unix", "no last newline", "CRLF", "BOM", "spaces", "duplicate key"],
)
def test_harmless_differences_do_not_matter(tmp_path: Path, content: bytes) -> None:
    """Editors and systems write files differently; the rows are the same."""
    data = read_data(written(tmp_path, content))

    assert data.rows == ({"text": "a"}, {"text": "b"})


def test_blank_lines_are_skipped_but_counted(tmp_path: Path) -> None:
    """The line of a row is the one an editor shows."""
    data = read_data(written(tmp_path, b'\n{"text": "a"}\n\r\n   \n{"text": "b"}\n\n'))

    assert data.row_lines == (2, 5)


def test_size_and_hash_are_those_of_the_whole_file(tmp_path: Path) -> None:
    """Provenance can be checked with sha256sum."""
    content = b'\xef\xbb\xbf\n{"text": "a"}\n\n'
    data = read_data(written(tmp_path, content))

    assert data.bytes_read == len(content)
    assert data.sha256 == hashlib.sha256(content).hexdigest()


def test_other_fields_are_noted_once_and_left_out(tmp_path: Path) -> None:
    """Fields nothing is learned from are dropped, and the reader is told."""
    rows = [
        {"id": 1, "messages": [{"role": "user", "content": "Hi", "name": "Bo"}]},
        {"id": 2, "source": "web", "messages": []},
    ]
    for row in rows:
        row["messages"].append({"role": "assistant", "content": "Hello"})  # type: ignore[attr-defined]
    data = read_data(written(tmp_path, "\n".join(map(json.dumps, rows)).encode()))

    assert data.rows[0] == {
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    }
    assert data.notes == (
        (
            'nothing is learned from these fields: "id" (first in line 1), '
            '"messages[].name" (first in line 1), "source" (first in line 2)'
        ),
    )


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    """Process substitution in a shell hands over a pipe."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b'{"text": "a"}\n' * 1000,))
    writer.start()
    data = read_data(pipe)
    writer.join()

    assert len(data.rows) == 1000


def test_reading_imports_nothing_heavy() -> None:
    """Planning on a machine without the training packages can read data."""
    code = (
        "import sys, launcher.data.rows, launcher.data.split, launcher.data.lengths; "
        "print({'torch', 'datasets', 'tokenizers', 'jinja2', 'transformers'} & set(sys.modules))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == "set()"
