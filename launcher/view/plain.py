"""A run as plain lines, for logs and pipes: a start, now and then a line, an end."""

from __future__ import annotations

from typing import TextIO

from launcher.runs.events import Event
from launcher.view.progress import RunProgress
from launcher.view.run_facts import download_of
from launcher.view.sentences import sentence
from launcher.view.words import (
    download_text,
    duration,
    gib,
    loss,
    memory_of_this_run,
    one_line,
    rough_duration,
    thousands,
)

FRACTION_BETWEEN_LINES = 0.1
SECONDS_BETWEEN_LINES = 30.0
"""A step is told when both have gone by since the one told before; a download
and a measurement by the time."""


class PlainDisplay:
    """Writes one line for what a person reading a log wants to know."""

    def __init__(self, out: TextIO, *, run: str) -> None:
        """`run` is the run folder as it is shown."""
        self._out = out
        self._run = run
        self._told_fraction: float | None = None
        self._told_seconds = 0.0
        self._told_news_seconds = 0.0

    def show(self, event: Event, progress: RunProgress) -> None:
        """Write the event's line, if it has one now."""
        match event["type"]:
            case "plan":
                self._line(self._start(progress))
            case "step":
                if self._step_is_due(progress):
                    self._told_fraction = progress.done_fraction()
                    self._told_seconds = progress.seconds
                    self._line(step_line(event, progress))
            case "download" if not event.get("finished"):
                if self._news_is_due(progress):
                    so_far = download_text(download_of(event))
                    self._line(f"{duration(progress.seconds):>7}  downloading {so_far}")
            case "measuring":
                if progress.measuring is not None and self._news_is_due(progress):
                    how_far = one_line(f"{progress.phase}: {progress.measuring}")
                    self._line(f"{duration(progress.seconds):>7}  {how_far}")
            case "failed":
                pass  # the end of the command says it, on stderr
            case _:
                said = sentence(event)
                if said is not None:
                    self._line(f"{duration(progress.seconds):>7}  {one_line(said)}")

    def refresh(self, progress: RunProgress) -> None:
        """Nothing to do: time alone is no news."""

    def say(self, text: str) -> None:
        """Write it."""
        self._line(text)

    def close(self) -> None:
        """Nothing to do."""

    def _start(self, progress: RunProgress) -> str:
        plan = progress.plan
        if plan is None:
            return f"run {self._run}"
        band = f"{gib(plan.predicted_low_bytes)}-{gib(plan.predicted_high_bytes)}"
        return (
            f"run {self._run}\n"
            f"predicted peak {gib(plan.predicted_peak_bytes)} GiB ({band}), "
            f"{memory_of_this_run(plan.device)}"
        )

    def _step_is_due(self, progress: RunProgress) -> bool:
        if self._told_fraction is None:
            return True
        far = progress.done_fraction() - self._told_fraction >= FRACTION_BETWEEN_LINES - 1e-9
        long = progress.seconds - self._told_seconds >= SECONDS_BETWEEN_LINES
        return far and long

    def _news_is_due(self, progress: RunProgress) -> bool:
        due = progress.seconds - self._told_news_seconds >= SECONDS_BETWEEN_LINES
        if due:
            self._told_news_seconds = progress.seconds
        return due

    def _line(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()


def step_line(event: Event, progress: RunProgress) -> str:
    """Where the run is: time, step, loss, speed, memory, time left."""
    parts = [f"step {event.get('step')} of {event.get('total_steps')}"]
    parts.append(f"loss {loss(event.get('loss'))}")
    if isinstance(event.get("tokens_per_second"), (int, float)):
        parts.append(f"{thousands(event['tokens_per_second'])} tokens/s")
    if progress.peak_bytes is not None:
        parts.append(f"peak {gib(progress.peak_bytes)} GiB")
    left = progress.seconds_left()
    if left:
        planned = " as planned" if progress.pace.is_planned(progress.numbers.total_steps) else ""
        parts.append(f"about {rough_duration(left)} left{planned}")
    return f"{duration(progress.seconds):>7}  {', '.join(parts)}"
