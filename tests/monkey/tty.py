"""A program on a terminal of its own, and what it did to that terminal."""

from __future__ import annotations

import errno
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

_MODE = re.compile(rb"\x1b\[\?([\d;]+)([hl])")
_KEYBOARD = re.compile(rb"\x1b\[([<>])\d*u")
_ASKED = {b"\x1b[?2026$p": b"\x1b[?2026;1$y", b"\x1b[6n": b"\x1b[1;1R"}
_LEAVES = b"\x1b[?1049l"
MODES_AT_REST = {
    "7": True,  # wraps long lines
    "25": True,  # shows the cursor
    "1000": False,  # mouse
    "1003": False,
    "1004": False,  # focus
    "1006": False,
    "1049": False,  # the other screen
    "2004": False,  # brackets around what is pasted
    "2026": False,
    "2048": False,
}
_ENDING = re.compile(rb"\x1b\[\?(?:25h|\d+l)|\x1b\[<u|\x1b\]22;\w*\x07")


class Tty:
    """Keys in, bytes out; nothing of what was written is lost."""

    def __init__(
        self,
        words: Sequence[str],
        *,
        folder: Path,
        size: tuple[int, int],
        told: Mapping[str, str],
        hears_hangups: bool = True,
    ) -> None:
        self.written = bytearray()
        self._answered = 0
        self.status: int | None = None
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(folder)
                if not hears_hangups:
                    signal.signal(signal.SIGHUP, signal.SIG_IGN)
                os.execve(words[0], list(words), dict(told))
            finally:
                os._exit(127)
        self._before = termios.tcgetattr(self._master)
        self.closed = False
        self.resize(*size)

    def resize(self, columns: int, rows: int) -> None:
        """Another size; the program is told by its terminal."""
        if not self.closed:
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        """Type what the terminal takes; a program that reads nothing must not hold us up."""
        while keys and not self.closed and not self.over:
            if not select.select([], [self._master], [], 5.0)[1]:
                return
            try:
                keys = keys[os.write(self._master, keys[:512]) :]
            except OSError:
                return
            self.look(0)

    def look(self, seconds: float) -> None:
        """Read what comes in that time."""
        until = time.monotonic() + seconds
        while True:
            left = max(0.0, until - time.monotonic())
            if self.closed:
                time.sleep(min(left, 0.05))
            elif select.select([self._master], [], [], left)[0]:
                self._read()
            if self.over or time.monotonic() >= until:
                return

    def _read(self) -> None:
        try:
            self.written += os.read(self._master, 65536)
        except OSError as problem:
            if problem.errno != errno.EIO:  # what Linux says when nobody has it open any more
                raise
            time.sleep(0.005)
            return
        for question, answer in _ASKED.items():
            if question in self.written[self._answered :]:
                os.write(self._master, answer)
        self._answered = len(self.written)

    @property
    def over(self) -> bool:
        """Whether the program has ended."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end."""
        until = time.monotonic() + seconds
        while not self.over and time.monotonic() < until:
            self.look(0.05)
        if self.over and not self.closed:
            while select.select([self._master], [], [], 0)[0]:
                before = len(self.written)
                self._read()
                if len(self.written) == before:
                    break
        return self.over

    def send(self, number: int) -> None:
        """A signal."""
        if not self.over:
            os.kill(self.pid, number)

    def close(self) -> None:
        """Take the terminal away, as a closed window or a lost connection does."""
        if not self.closed:
            self.closed = True
            os.close(self._master)

    def kill(self) -> None:
        """End whatever is left."""
        if not self.over:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.close()

    def left_behind(self) -> list[str]:
        """What is not as it was before the program came."""
        found = []
        if not self.closed and termios.tcgetattr(self._master)[:4] != self._before[:4]:
            found.append("the terminal's settings are not as before")
        modes = dict(MODES_AT_REST)
        for names, state in _MODE.findall(bytes(self.written)):
            modes |= dict.fromkeys(names.decode().split(";"), state == b"h")
        for name, wanted in MODES_AT_REST.items():
            if modes[name] != wanted:
                found.append(f"mode {name} was left {'off' if wanted else 'on'}")
        depth = sum(1 if way == b">" else -1 for way in _KEYBOARD.findall(bytes(self.written)))
        if depth > 0:
            found.append("the keyboard protocol was left on")
        if b"\x1b" in self.last_words:
            found.append(f"escape bytes after the screen: {self.last_words!r}")
        return found

    @property
    def last_words(self) -> bytes:
        """What was written after the screen was left."""
        return _ENDING.sub(b"", bytes(self.written).rpartition(_LEAVES)[2])
