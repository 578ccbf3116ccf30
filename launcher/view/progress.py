"""What a run shows of itself, reduced from its events: the same live, finished or replayed."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from launcher.download_meter import Download
from launcher.exit_codes import ExitCode
from launcher.runs.events import Event
from launcher.runs.numbers import RunNumbers
from launcher.view.cards import DeviceMemory, whole
from launcher.view.run_facts import Failure, Measuring, PlannedRun, download_of
from launcher.view.sentences import clock_time, local_time, sentence
from launcher.view.series import Series
from launcher.view.time_left import TimeLeft
from launcher.view.words import one_line
from planner.request import Device

LINES_KEPT = 1000
RECOVERIES_KEPT = 6
SLOW_STEP = 1.5
"""A step that takes this many times the usual one is told."""
_PREDICTED = tuple(f"predicted_{name}_bytes" for name in ("allocated", "peak", "low", "high"))
_ROUTINE = ("training", "evaluating")


@dataclass(slots=True)
class RunProgress:
    """A run so far. Unknown is None."""

    plan: PlannedRun | None = None
    attempt: int = 0
    """1 for the launch, one more for each resume; 0 before the first plan."""
    phase: str = "starting"
    numbers: RunNumbers = field(default_factory=RunNumbers)
    seconds: float = 0.0
    """Since the run began, up to its last event, without the time between two attempts."""
    idle_seconds: float = 0.0
    """Between the end of an attempt and the resume after it."""
    last_at: str | None = None
    """Time of the last event, ISO 8601."""
    memories: list[DeviceMemory] = field(default_factory=lambda: [DeviceMemory()])
    """One a card that is used, or one for the host."""
    losses: Series = field(default_factory=Series)
    evaluations: Series = field(default_factory=Series)
    speeds: Series = field(default_factory=Series)
    """Tokens a second."""
    pace: TimeLeft = field(default_factory=TimeLeft)
    steps_here: int = 0
    """Steps of this attempt."""
    download: Download | None = None
    """How far the one that goes on is."""
    measuring: Measuring | None = None
    """How far the rows are that are evaluated or compared now."""
    last_step: Event | None = None
    first_evaluation: Event | None = None
    last_evaluation: Event | None = None
    recovery_messages: deque[str] = field(default_factory=lambda: deque(maxlen=RECOVERIES_KEPT))
    """What the supervisor did about a worker that could not go on."""
    rehearsal: str | None = None
    """What the rehearsal found, in a sentence."""
    prompt: str | None = None
    expected_answer: str | None = None
    """What the held-out row itself answers."""
    answers: dict[Literal["before", "after"], str] = field(default_factory=dict)
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))
    """What happened, in words, with the time of day."""
    comparison: Event | None = None
    """Base, few-shot and tuned on the rows held out, with intervals."""
    finished: bool = False
    result: str | None = None
    """Name of the folder in the run folder that holds the trained weights."""
    failure: Failure | None = None

    def apply(self, event: Event) -> None:
        """Take one event in; types that are not known change nothing."""
        self.numbers.apply(event)
        self._advance(event)
        handler = _HANDLERS.get(event["type"])
        if handler is not None:
            handler(self, event)
        said = sentence(event)
        if said is not None and not self._is_routine(event):
            self.lines.append(f"{clock_time(event)}  {one_line(said)}")

    def _is_routine(self, event: Event) -> bool:
        """Phases that come and go between steps would push out what matters."""
        return event["type"] == "phase" and event.get("phase") in _ROUTINE and self.steps_here > 0

    def _advance(self, event: Event) -> None:
        self.last_at = event.get("at", self.last_at)
        since_start = event.get("seconds")
        if not isinstance(since_start, (int, float)) or not math.isfinite(since_start):
            return
        if event["type"] == "plan":
            self.idle_seconds = since_start - self.seconds
        self.seconds = since_start - self.idle_seconds

    @property
    def device(self) -> Device:
        """Where it runs; the CPU until the plan is known."""
        return self.plan.device if self.plan else "cpu"

    @property
    def peak_bytes(self) -> int | None:
        """Highest memory so far, of the kind that was predicted."""
        return self.numbers.peak_bytes(self.device)

    @property
    def over(self) -> bool:
        """Whether it has ended, well or not."""
        return self.finished or self.failure is not None

    @property
    def fullest(self) -> int:
        """Place in `memories` of the device with the highest peak."""
        return max(range(len(self.memories)), key=lambda at: self.memories[at].peak_bytes or 0)

    def seconds_left(self) -> float | None:
        """Time left at the pace of the last fifty steps; None before that means anything."""
        if self.over:
            return None
        numbers = self.numbers
        return self.pace.seconds(
            step=numbers.step, total_steps=numbers.total_steps, now=self.seconds
        )

    def done_at(self) -> datetime | None:
        """When it will be done, local time; None before that means anything."""
        left, now = self.seconds_left(), local_time(self.last_at)
        return None if left is None or now is None else now + timedelta(seconds=left)

    def done_fraction(self) -> float:
        """Share of the steps that are done, of the bytes while weights come in."""
        if self.download is not None and self.download.total_bytes:
            return min(1.0, self.download.done_bytes / self.download.total_bytes)
        total = self.numbers.total_steps
        return min(1.0, self.numbers.step / total) if total else 0.0


def _apply_plan(progress: RunProgress, event: Event) -> None:
    """A plan begins an attempt: what ended the one before is over.

    Raises ValueError for one without its prediction.
    """
    if any(whole(event.get(name)) is None for name in _PREDICTED):
        raise ValueError("a plan without its prediction")
    progress.plan = PlannedRun(
        **{name: event.get(name) for name in _PREDICTED},  # type: ignore[arg-type]
        model=str(event.get("model")),
        method=str(event.get("method")),
        rank=whole(event.get("rank")),
        device="cuda" if event.get("device") == "cuda" else "cpu",
        gpu=_text(event.get("gpu")),
        available_bytes=whole(event.get("available_bytes")),
    )
    progress.attempt = whole(event.get("attempt")) or progress.attempt + 1
    progress.failure = None
    progress.finished = False
    progress.steps_here = 0
    progress.pace.restart()
    planned = event.get("expected_step_seconds")
    progress.pace.planned_step_seconds = planned if isinstance(planned, (int, float)) else None


def _apply_phase(progress: RunProgress, event: Event) -> None:
    progress.phase = str(event.get("phase", progress.phase))
    progress.download = progress.measuring = None
    progress.pace.enter(progress.phase, progress.seconds)


def _apply_download(progress: RunProgress, event: Event) -> None:
    progress.download = download_of(event)


def _apply_measuring(progress: RunProgress, event: Event) -> None:
    progress.measuring = Measuring.of(event)


def _apply_step(progress: RunProgress, event: Event) -> None:
    progress.last_step = event
    progress.steps_here += 1
    usual = progress.pace.usual_step()
    seconds = event.get("step_seconds")
    if usual is not None and isinstance(seconds, (int, float)) and seconds > SLOW_STEP * usual:
        said = f"step {event.get('step')} took {seconds:.1f} s, usual {usual:.1f} s"
        progress.lines.append(f"{clock_time(event)}  {said}")
    progress.pace.step(event, progress.seconds)
    for name, series in (("loss", progress.losses), ("tokens_per_second", progress.speeds)):
        value = event.get(name)
        if isinstance(value, (int, float)):
            series.add(progress.seconds, value)


def _apply_memory(progress: RunProgress, event: Event) -> None:
    cards = event.get("cards") or [event]
    missing = len(cards) - len(progress.memories)
    progress.memories += [DeviceMemory() for _ in range(missing)]
    for memory, values in zip(progress.memories, cards, strict=False):
        memory.apply(values, device=progress.device, seconds=progress.seconds)


def _apply_evaluation(progress: RunProgress, event: Event) -> None:
    progress.first_evaluation = progress.first_evaluation or event
    progress.last_evaluation = event
    if isinstance(event.get("loss"), (int, float)):
        progress.evaluations.add(progress.seconds, event["loss"])


def _apply_answer(progress: RunProgress, event: Event) -> None:
    if event.get("when") in ("before", "after"):
        progress.prompt = _text(event.get("prompt"))
        progress.expected_answer = _text(event.get("expected"))
        progress.answers[event["when"]] = str(event.get("answer"))


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _apply_recovery(progress: RunProgress, event: Event) -> None:
    if event.get("replanned"):
        # As in RunNumbers: the peaks of a step that is no longer taken say nothing any more.
        for memory in progress.memories:
            memory.peak_bytes = None
    progress.recovery_messages.append(str(event.get("message")))


def _apply_comparison(progress: RunProgress, event: Event) -> None:
    progress.comparison = event


def _apply_finished(progress: RunProgress, event: Event) -> None:
    progress.finished = True
    progress.phase = "finished"
    progress.result = _text(event.get("result"))


def _apply_rehearsal(progress: RunProgress, event: Event) -> None:
    progress.rehearsal = _text(event.get("message"))


def _apply_failed(progress: RunProgress, event: Event) -> None:
    progress.failure = Failure(
        code=event.get("code") or ExitCode.BUG,
        reason=str(event.get("reason")),
        hints=tuple(str(hint) for hint in event.get("hints") or ()),
    )
    progress.phase = "stopped" if progress.failure.interrupted else "failed"


_HANDLERS = {
    "plan": _apply_plan,
    "phase": _apply_phase,
    "download": _apply_download,
    "measuring": _apply_measuring,
    "step": _apply_step,
    "memory": _apply_memory,
    "evaluation": _apply_evaluation,
    "answer": _apply_answer,
    "comparison": _apply_comparison,
    "recovery": _apply_recovery,
    "rehearsal": _apply_rehearsal,
    "finished": _apply_finished,
    "failed": _apply_failed,
}
