"""What a data file holds once it has been read and found usable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Layout = Literal["messages", "prompt_completion", "text"]
Row = dict[str, Any]

LAYOUT_FIELDS: dict[Layout, tuple[str, ...]] = {
    "messages": ("messages",),
    "prompt_completion": ("prompt", "completion"),
    "text": ("text",),
}
"""The fields that make a layout, in the order in which a layout is looked for."""

LAYOUT_EXAMPLES: dict[Layout, str] = {
    "messages": '{"messages": [{"role": "user", "content": "Hi"}, '
    '{"role": "assistant", "content": "Hello"}]}',
    "prompt_completion": '{"prompt": "2 + 2 =", "completion": " 4"}',
    "text": '{"text": "Any text to learn from."}',
}
"""One whole line of each layout, as it stands in a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """Checked rows of one file, all of one layout."""

    path: Path
    layout: Layout
    rows: tuple[Row, ...]
    """The layout's own fields only; a message keeps its role and content."""
    row_lines: tuple[int, ...]
    """The line of the file each row stands on, counted from 1."""
    bytes_read: int
    """Size of the file in bytes."""
    sha256: str
    """Of the whole file, as 64 hexadecimal digits."""
    notes: tuple[str, ...] = ()
    """What a person should know that is no error, such as fields nothing is learned from."""
