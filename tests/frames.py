"""A terminal that keeps every frame a program draws: each state between two writes, none missed."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE_SECONDS = 90.0
_ASKED_FOR_FRAMES, _YES = b"\x1b[?2026$p", b"\x1b[?2026;1$y"
"""Whether the terminal shows a frame at once when it is complete (synchronized output)."""
_FRAME_ENDS = re.compile(rb"\x1b\[\?2026l|\x1b\[1;1H")
"""The end of a frame; before the program knows that it may say so, the start of the next one."""
_STEERS = re.compile(
    r"\x1b\[(?P<row>\d+);(?P<column>\d+)H"
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # colours, modes
    r"|\x1b[\]P].*?(?:\x07|\x1b\\)"  # titles, device strings
    r"|\x1b[()][0-9A-Z]|\x1b[=>78]",
    re.DOTALL,
)


class Frames:
    """One program in a terminal of 80 by 24, every frame of it kept as text."""

    def __init__(
        self,
        words: Sequence[str],
        *,
        folder: Path,
        size: tuple[int, int] = (80, 24),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._columns, self._rows = size
        inherited = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TMUX")}
        told = inherited | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"} | dict(environment or {})
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            size_of_it = struct.pack("HHHH", self._rows, self._columns, 0, 0)
            fcntl.ioctl(0, termios.TIOCSWINSZ, size_of_it)
            os.chdir(folder)
            os.execve(words[0], list(words), told)
        self._cells = [[" "] * self._columns for _ in range(self._rows)]
        self._row = self._column = 0
        self._unread = b""
        self.frames: list[str] = []
        """Each as its lines, from the first that shows anything."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._terminal)

    def press(self, key: str, *then: str, gone: str | None = None) -> None:
        """Type, and look until all of these are there and what is gone is not."""
        os.write(self._terminal, key.encode())
        self.wait_for(*then, gone=gone)

    def wait_for(self, *texts: str, gone: str | None = None) -> None:
        """Look until all of them are there; fails when they never are."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not all(text in self.text for text in texts) or (gone and gone in self.text):
            assert time.monotonic() < deadline, (
                f"waited for {texts}, without {gone}; the screen is\n{self.text}"
            )
            self._look()

    def seconds_of(self, key: str, *, quiet_seconds: float) -> float:
        """From writing a key to the last frame that shows another text; 0 when none does.

        What changes no text is a cursor that blinks. It is over when nothing came for so long.
        """
        shown = self.text
        began = ended = time.perf_counter()
        os.write(self._terminal, key.encode())
        while self._look(quiet_seconds):
            came = time.perf_counter()
            if self.text != shown:
                ended, shown = came, self.text
        return ended - began

    @property
    def text(self) -> str:
        """What is on the screen."""
        return "\n".join("".join(cells).rstrip() for cells in self._cells)

    def _look(self, seconds: float = 0.1) -> bool:
        if not select.select([self._terminal], [], [], seconds)[0]:
            return False
        came = os.read(self._terminal, 65536)
        if _ASKED_FOR_FRAMES in came:
            os.write(self._terminal, _YES)
        self._unread += came
        while ends := _FRAME_ENDS.search(self._unread):
            self._draw(self._unread[: ends.start()].decode())
            self._unread = self._unread[ends.end() :]
            if ends[0].endswith(b"H"):
                self._row = self._column = 0
            if (self.frames or self.text.strip()) and self.text not in self.frames[-1:]:
                self.frames.append(self.text)
        return True

    def _draw(self, written: str) -> None:
        at = 0
        for steers in _STEERS.finditer(written):
            self._put(written[at : steers.start()])
            at = steers.end()
            if steers["row"]:
                self._row, self._column = int(steers["row"]) - 1, int(steers["column"]) - 1
        self._put(written[at:])

    def _put(self, text: str) -> None:
        for sign in text:
            if sign == "\n":
                self._row, self._column = self._row + 1, 0
            elif sign == "\r":
                self._column = 0
            elif self._row < self._rows and self._column < self._columns:
                self._cells[self._row][self._column] = sign
                self._column += 1
