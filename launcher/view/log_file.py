"""log.txt as lines: read as it grows, the last ten thousand kept."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from launcher.view.words import one_line

LINES_KEPT = 10_000
TAIL_BYTES = 4 << 20
"""Of a longer file only the end is read."""
CHUNK_BYTES = 1 << 20


class LogFile:
    """The newest lines of a text file that others write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: deque[str] = deque(maxlen=LINES_KEPT)
        self.problem: str | None = None
        self._offset: int | None = None
        self._partial = b""

    def read(self) -> bool:
        """Take in what was written since the last time; returns whether there was anything."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, 2)
                if self._offset is None:
                    self._offset = max(0, size - TAIL_BYTES)
                file.seek(self._offset)
                chunk = file.read(CHUNK_BYTES)
        except OSError as problem:
            self.problem = f"{self.path} cannot be read: {problem.strerror}"
            return False
        self.problem = None
        self._offset += len(chunk)
        *whole, self._partial = (self._partial + chunk).split(b"\n")
        self.lines.extend(shown(each) for each in whole)
        return bool(chunk)


def shown(raw: bytes) -> str:
    """A line as a terminal would leave it: behind the last carriage return, nothing that steers."""
    text = raw.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="replace")
    indent = len(text) - len(text.lstrip(" \t"))
    return " " * min(indent, 40) + one_line(text)


def found(lines: deque[str], text: str, *, start: int, forward: bool) -> int | None:
    """Number of the next line with `text` in it, letters of either case; around the end."""
    wanted, count = text.lower(), len(lines)
    if not wanted or not count:
        return None
    listed = list(lines)
    for distance in range(1, count + 1):
        at = (start + (distance if forward else -distance)) % count
        if wanted in listed[at].lower():
            return at
    return None
