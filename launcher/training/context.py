"""What every part of an attempt at a run knows: the plan, the folder, and whom to tell."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from launcher.runs.events import EventLog
from launcher.runs.folder import RunFolder
from launcher.training.pulse import Pulse
from launcher.training.stopping import StopRequest
from planner.run_plan import RunPlan

SECONDS_BETWEEN_COUNTS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One attempt at a run."""

    plan: RunPlan
    run: Path
    """The folder that everything is written below."""
    events: EventLog
    stop: StopRequest
    pulse: Pulse

    @classmethod
    def of(cls, plan: RunPlan, run: Path, *, events: EventLog, stop: StopRequest) -> Context:
        """With the run folder's own sign of life."""
        pulse = Pulse(RunFolder(run).pulse)
        return cls(plan=plan, run=run, events=events, stop=stop, pulse=pulse)

    def counting(self, what: str) -> Callable[[int, int], None]:
        """A function that tells how many of how many of `what` are measured, once a second."""
        told_at = time.monotonic()

        def tell(done: int, total: int) -> None:
            nonlocal told_at
            if time.monotonic() - told_at >= SECONDS_BETWEEN_COUNTS:
                told_at = time.monotonic()
                self.events.append("measuring", what=what, done=done, total=total)

        return tell
