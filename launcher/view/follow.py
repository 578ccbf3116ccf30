"""Following a run from its folder until it ends or the person leaves."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from launcher.runs.events import EventTail
from launcher.runs.folder import RunFolder
from launcher.runs.state import Liveness
from launcher.view.display import Display
from launcher.view.interrupts import Interrupts
from launcher.view.progress import RunProgress
from launcher.view.reader import liveness_of

POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """How following ended."""

    progress: RunProgress
    liveness: Liveness
    """`running` when the person left before the end."""


def follow(
    folder: RunFolder,
    display: Display,
    *,
    interrupts: Interrupts,
    on_interrupt: Callable[[int], bool],
    from_attempt: int = 1,
) -> Followed:
    """Show a run until it is over, or until `on_interrupt` says to leave.

    `on_interrupt` gets the number of the interrupt, 1 for the first, and returns whether to
    stay. Events of attempts before `from_attempt` count but are not shown.
    """
    progress = RunProgress()
    tail = EventTail(folder.events)
    seen = 0
    while True:
        # Asked before reading: what was written before the end is then still read.
        state = liveness_of(folder, progress)
        events = tail.poll()
        for event in events:
            progress.apply(event)
            if progress.attempt >= from_attempt:
                display.show(event, progress)
        display.refresh(progress)
        while seen < interrupts.count:
            seen += 1
            if not on_interrupt(seen):
                return Followed(progress=progress, liveness=state)
        if not events:
            if state != "running":
                return Followed(progress=progress, liveness=state)
            time.sleep(POLL_SECONDS)
