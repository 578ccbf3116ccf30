"""How long a run will still take: the usual step, its usual pauses, and what comes at the end."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median

from launcher.runs.events import Event

STEPS_KEPT = 50
STEPS_NEEDED = 10
STEPS_NEEDED_OF_A_SHORT_RUN = 3
MEASURING = {"evaluating": 1.0, "answering": 1.0, "comparing": 0.5}
"""Phases before the first step that come again behind the last one, and how much of them: the base
model is compared twice, without and with examples, the tuned one once."""


@dataclass(slots=True)
class TimeLeft:
    """The pace of one attempt at a run, from its events."""

    planned_step_seconds: float | None = None
    """What the plan expects of a step: counts until steps were measured."""
    step_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=STEPS_KEPT))
    pauses: deque[float] = field(default_factory=lambda: deque(maxlen=4 * STEPS_KEPT))
    """Between a step and the next: evaluations, checkpoints. Mostly zero."""
    last_step_at: float | None = None
    measuring_seconds: float = 0.0
    """What measuring will take behind the last step, by what it took before the first."""
    phase: str = ""
    phase_at: float = 0.0

    def restart(self) -> None:
        """A new attempt: another pace, after another start."""
        self.step_seconds.clear()
        self.pauses.clear()
        self.last_step_at = None

    def enter(self, phase: str, at: float) -> None:
        """A phase begins."""
        if self.phase in MEASURING and self.last_step_at is None:
            self.measuring_seconds += MEASURING[self.phase] * max(0.0, at - self.phase_at)
        self.phase, self.phase_at = phase, at

    def step(self, event: Event, at: float) -> None:
        """A step was taken."""
        seconds = event.get("step_seconds")
        if not isinstance(seconds, (int, float)):
            return
        self.step_seconds.append(seconds)
        if self.last_step_at is not None:
            self.pauses.append(max(0.0, at - self.last_step_at - seconds))
        self.last_step_at = at

    def usual_step(self) -> float | None:
        """Median duration of the last steps; None before there are ten."""
        return median(self.step_seconds) if len(self.step_seconds) >= STEPS_NEEDED else None

    def seconds(self, *, step: int, total_steps: int | None, now: float) -> float | None:
        """Time left at `now`; None before that means anything."""
        if total_steps is None:
            return None
        seconds = self._step_seconds(total_steps)
        if seconds is None:
            return None
        steps = max(0, total_steps - step)
        pause = sum(self.pauses) / len(self.pauses) if self.pauses else 0.0
        left = steps * (seconds + pause) + self.measuring_seconds
        since_step = max(0.0, now - (self.last_step_at or now))
        # Between two steps the clock runs on; it never runs below what the other steps take.
        return max(0.0, left - min(since_step, left / max(1, steps + 1)))

    def is_planned(self, total_steps: int | None) -> bool:
        """Whether the time left rests on the plan, because too few steps were measured."""
        return total_steps is not None and len(self.step_seconds) < _needed(total_steps)

    def _step_seconds(self, total_steps: int) -> float | None:
        """A step as measured; before that as planned, and corrected step by step."""
        needed, measured = _needed(total_steps), len(self.step_seconds)
        if measured >= needed:
            return median(self.step_seconds)
        if self.planned_step_seconds is None or not measured:
            return self.planned_step_seconds
        share = measured / needed
        return share * median(self.step_seconds) + (1 - share) * self.planned_step_seconds


def _needed(total_steps: int) -> int:
    return STEPS_NEEDED_OF_A_SHORT_RUN if total_steps <= STEPS_KEPT else STEPS_NEEDED
