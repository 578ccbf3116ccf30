"""What a view of a run is, and the view for programs: the events themselves."""

from __future__ import annotations

import json
from typing import Protocol, TextIO

from launcher.runs.events import Event
from launcher.view.progress import RunProgress


class Display(Protocol):
    """Shows a run while its events come in."""

    def show(self, event: Event, progress: RunProgress) -> None:
        """An event came; `progress` has it already."""

    def refresh(self, progress: RunProgress) -> None:
        """Time went by."""

    def say(self, text: str) -> None:
        """Tell something that is no event, such as what Ctrl-C did."""

    def close(self) -> None:
        """The view is left; what comes next writes to a clean line."""


class EventDisplay:
    """Every event as it is, one JSON line each."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, event: Event, progress: RunProgress) -> None:  # noqa: ARG002
        """Pass the event on."""
        self._out.write(json.dumps(event, ensure_ascii=False) + "\n")
        self._out.flush()

    def refresh(self, progress: RunProgress) -> None:
        """Nothing to do."""

    def say(self, text: str) -> None:
        """Nothing: standard output holds events only."""

    def close(self) -> None:
        """Nothing to do."""


class QuietDisplay:
    """Nothing until the end."""

    def show(self, event: Event, progress: RunProgress) -> None:
        """Nothing to do."""

    def refresh(self, progress: RunProgress) -> None:
        """Nothing to do."""

    def say(self, text: str) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""
