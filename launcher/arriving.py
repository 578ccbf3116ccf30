"""Lines of a file or of stdin, which someone may still be writing."""

from __future__ import annotations

import codecs
import io
import os
import select
import sys
from collections import deque
from collections.abc import Callable, Iterator

from launcher.errors import UsageError

_A_MOMENT_SECONDS = 0.005
"""A writer that is at work has more by then."""
_READ_BYTES = 1 << 20


class ArrivingLines:
    """The lines of a file or, for "-", of stdin; bytes that are no UTF-8 are lone surrogates.

    `before_reading` is called whenever the next ones may take their time. Raises UsageError for
    what cannot be read.
    """

    def __init__(self, name: str, before_reading: Callable[[], object]) -> None:
        self._name = name
        self._before_reading = before_reading
        self._there: deque[str] = deque()
        self._descriptor = self._opened()

    def __iter__(self) -> Iterator[str]:
        """Each line without its end."""
        decoder = io.IncrementalNewlineDecoder(_DECODER("surrogateescape"), translate=True)
        begun = ""
        while read := self._read():
            *whole, begun = (begun + decoder.decode(read)).split("\n")
            self._there.extend(whole)
            while self._there:
                yield self._there.popleft()
        begun += decoder.decode(b"", final=True)
        if begun:
            yield begun

    def nothing_waits(self) -> bool:
        """Whether the next line is not written yet."""
        if self._there:
            return False
        ready, _, _ = select.select([self._descriptor], [], [], _A_MOMENT_SECONDS)
        return not ready

    def _opened(self) -> int:
        if self._name == "-":
            if sys.stdin is None:
                raise UsageError("stdin is closed", "give a file of cases, or a pipe")
            return sys.stdin.fileno()
        try:
            return os.open(self._name, os.O_RDONLY)  # for as long as the program runs
        except OSError as problem:
            raise self._unreadable(problem) from None

    def _read(self) -> bytes:
        self._before_reading()
        try:
            return os.read(self._descriptor, _READ_BYTES)
        except OSError as problem:
            raise self._unreadable(problem) from None

    def _unreadable(self, problem: OSError) -> UsageError:
        return UsageError(f"{self._name}: cannot be read: {problem}")


_DECODER = codecs.getincrementaldecoder("utf-8-sig")
