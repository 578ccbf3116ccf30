"""Reading a run folder bit by bit, so that a screen can show it while it is written."""

from __future__ import annotations

import time

from launcher.runs.events import Event, EventTail
from launcher.runs.folder import RunFolder
from launcher.runs.state import Liveness, liveness
from launcher.view.progress import RunProgress

UNREADABLE = (TypeError, ValueError, KeyError, AttributeError, OverflowError)
"""What an event whose values are not what they should be can raise."""
READ_SECONDS = 0.08
"""How long one read may take, so that a key is answered while a long log is read."""


class RunReader:
    """The events of a run so far, and whether anybody still writes them."""

    def __init__(self, folder: RunFolder, *, until_seconds: float | None = None) -> None:
        """With `until_seconds` the run is shown as it was then, still running."""
        self.folder = folder
        self.progress = RunProgress()
        self._until_seconds = until_seconds
        self.liveness: Liveness = "running"
        self.problem: str | None = None
        """Why nothing can be read any more, in place of a traceback."""
        self.unread_events = 0
        """Events whose values are not what they should be; each was left out."""
        self.caught_up = False
        """Whether the end of the log was reached once."""
        self._tail = EventTail(folder.events)

    @property
    def broken_lines(self) -> int:
        """Lines of the log that could not be read."""
        return self._tail.broken_lines + self.unread_events

    @property
    def trouble(self) -> str | None:
        """What a person should know of the reading itself."""
        if self.problem is not None:
            return self.problem
        if not self.caught_up:
            return f"reading what happened so far: step {self.progress.numbers.step}"
        if self.broken_lines:
            lines = "line" if self.broken_lines == 1 else "lines"
            return f"{self.broken_lines} {lines} of events.jsonl could not be read"
        return None

    def read(self, seconds: float = READ_SECONDS) -> bool:
        """Take in what was written since the last time; returns whether there was anything.

        Stops after `seconds`; the next call goes on. Never raises for what is in the folder.
        """
        deadline = time.monotonic() + seconds
        read_any = False
        while True:
            # Asked before reading: what was written before the end is then still read.
            alive = self._liveness()
            try:
                events = self._tail.poll()
            except OSError as problem:
                self.problem = f"{self.folder.events} cannot be read: {problem.strerror}"
                return read_any
            if not events:
                self._at_the_end(alive)
                return read_any
            read_any = True
            for event in events:
                if self._later(event):
                    continue
                try:
                    self.progress.apply(event)
                except UNREADABLE:
                    self.unread_events += 1
            if time.monotonic() > deadline:
                return read_any

    def _at_the_end(self, alive: Liveness) -> None:
        self.caught_up = True
        self.liveness = alive
        gone = not self.folder.path.is_dir()
        self.problem = f"{self.folder.path} is gone" if gone else None

    def _later(self, event: Event) -> bool:
        seconds = event.get("seconds")
        if self._until_seconds is None or not isinstance(seconds, (int, float)):
            return False
        return seconds > self._until_seconds

    def _liveness(self) -> Liveness:
        if self._until_seconds is not None:
            return "running"
        return liveness_of(self.folder, self.progress)


def liveness_of(folder: RunFolder, progress: RunProgress) -> Liveness:
    """As state.json says; without one, events that were copied here say it themselves."""
    if folder.state.exists():
        return liveness(folder)
    if progress.finished:
        return "finished"
    if progress.failure is not None:
        return "interrupted" if progress.failure.interrupted else "failed"
    return "lost"
