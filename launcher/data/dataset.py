"""What a data file holds once it has been read and found usable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Layout = Literal["messages", "prompt_completion", "text", "text_label", "image_label"]
Row = dict[str, Any]

LAYOUT_FIELDS: dict[Layout, tuple[str, ...]] = {
    "messages": ("messages",),
    "prompt_completion": ("prompt", "completion"),
    "text": ("text",),
    "text_label": ("text", "label"),
    "image_label": ("image", "label"),
}
"""The fields of a row once it has been read."""

LAYOUT_EXAMPLES: dict[Layout, str] = {
    "messages": '{"messages": [{"role": "user", "content": "Hi"}, '
    '{"role": "assistant", "content": "Hello"}]}',
    "prompt_completion": '{"prompt": "2 + 2 =", "completion": " 4"}',
    "text": '{"text": "Any text to learn from."}',
    "text_label": '{"text": "Never again.", "label": "negative"}',
    "image_label": '{"image": "cats/1.png", "label": "cat"}',
}
"""One whole line of each layout, as it stands in a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """Checked rows of one file, or of several with one layout."""

    path: Path
    """What was named: a file, a folder or a pattern."""
    files: tuple[Path, ...]
    layout: Layout
    found_as: str
    """How the rows were written, where that is not the layout: `ShareGPT conversations`."""
    rows: tuple[Row, ...]
    """The layout's own fields only; a message keeps its role and content."""
    row_lines: tuple[int, ...]
    """The line of its file each row stands on, counted from 1; 0 where a file is one row."""
    row_files: tuple[int, ...]
    """Which of `files` each row stands in."""
    row_keys: tuple[int, ...]
    """A hash of what each row holds: equal rows have equal keys, in any file and on any day."""
    bytes_read: int
    """Size of the files in bytes, as they stand on the disk."""
    sha256: str
    """Of the whole file, as 64 hexadecimal digits; of all of them in turn where there are more."""
    notes: tuple[str, ...] = ()
    """What a person should know that is no error, such as fields nothing is learned from."""

    def place(self, index: int) -> str:
        """Where a row stands: `train.jsonl:12`, or the file alone where it is one row."""
        file, line = self.files[self.row_files[index]], self.row_lines[index]
        return f"{file}:{line}" if line else str(file)

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels that occur, numbers in their order and words in theirs."""
        return ordered_labels({row["label"] for row in self.rows if "label" in row})


def ordered_labels(labels: set[str]) -> tuple[str, ...]:
    """Labels in the order in which classes are numbered: 2 before 10, then words."""
    return tuple(
        sorted(labels, key=lambda label: (not label.isdecimal(), len(label), label))
        if all(label.isdecimal() for label in labels)
        else sorted(labels)
    )
