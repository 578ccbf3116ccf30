"""Rows as aligned columns without boxes."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), width: int = 80) -> str:
    """Lines of the rows, the first one being the head; columns in `right` are right-aligned.

    The last column is cut where a line would be wider than `width`.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(size) if number in right else cell.ljust(size)
            for number, (cell, size) in enumerate(zip(row, widths, strict=True))
        ]
        line = "  ".join(cells).rstrip()
        lines.append(line if len(line) <= width else f"{line[: width - 3]}...")
    return "".join(f"{line}\n" for line in lines)


def has_words(text: str, words: Sequence[str]) -> bool:
    """Whether every word occurs in the text, upper and lower case alike."""
    lower = text.lower()
    return all(word.lower() in lower for word in words)
