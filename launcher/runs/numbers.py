"""The numbers of a run, gathered event by event: losses, peaks, the usual step."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from launcher.runs.events import Event

PEAK_FIELDS = ("allocated_bytes", "reserved_bytes", "device_bytes", "host_bytes")


@dataclass(slots=True)
class RunNumbers:
    """What a run has shown so far. Unknown is None."""

    step: int = 0
    total_steps: int | None = None
    loss_first: float | None = None
    loss_last: float | None = None
    evaluation_before: float | None = None
    evaluation_last: float | None = None
    """Of the last evaluation behind a first step."""
    evaluation_after: float | None = None
    peaks: dict[str, int] = field(default_factory=dict)
    """Highest value of each of PEAK_FIELDS that was seen."""
    step_seconds: array[float] = field(default_factory=lambda: array("d"))
    tokens_per_second: array[float] = field(default_factory=lambda: array("d"))

    def apply(self, event: Event) -> None:
        """Take one event in; types without numbers change nothing."""
        match event["type"]:
            case "step":
                self._apply_step(event)
            case "memory":
                for name in PEAK_FIELDS:
                    self._raise_peak(name, event.get(name))
                self._raise_peak("host_bytes", event.get("host_peak_bytes"))
            case "evaluation":
                self._apply_evaluation(event)
            case "recovery" if event.get("replanned"):
                # The peaks of a step that is no longer taken say nothing about the new plan.
                self.peaks.clear()
            case "finished":
                self.loss_first = _known(event.get("loss_first"), self.loss_first)
                self.loss_last = _known(event.get("loss_last"), self.loss_last)
                self.evaluation_before = _known(
                    event.get("evaluation_before"), self.evaluation_before
                )
                self.evaluation_after = _known(event.get("evaluation_after"), self.evaluation_after)

    def peak_bytes(self, device: str) -> int | None:
        """The peak that is compared with the plan: of the card, or of the host on the CPU."""
        return self.peaks.get("device_bytes" if device == "cuda" else "host_bytes")

    def usual_step_seconds(self) -> float | None:
        """Median duration of a step, None before there is one."""
        return usual(self.step_seconds)

    def usual_tokens_per_second(self) -> float | None:
        """Median speed, None before there is one."""
        return usual(self.tokens_per_second)

    def _apply_step(self, event: Event) -> None:
        self.step = event.get("step") or self.step
        self.total_steps = event.get("total_steps") or self.total_steps
        loss = event.get("loss")
        if self.loss_first is None:
            self.loss_first = loss
        self.loss_last = loss
        for name, values in (
            ("step_seconds", self.step_seconds),
            ("tokens_per_second", self.tokens_per_second),
        ):
            if isinstance(event.get(name), (int, float)):
                values.append(event[name])

    def _apply_evaluation(self, event: Event) -> None:
        loss = event.get("loss")
        if event.get("when") == "before":
            # A resumed run starts behind its first steps; what was before them stays.
            self.evaluation_before = _known(self.evaluation_before, loss)
            return
        if event.get("when") == "after":
            self.evaluation_after = loss
        self.evaluation_last = loss

    def _raise_peak(self, name: str, value: Any) -> None:
        if isinstance(value, int):
            self.peaks[name] = max(value, self.peaks.get(name, 0))


def usual(values: Sequence[float]) -> float | None:
    """Median without the warm-up: the first value, or the first ten of more than twenty."""
    if len(values) > 1:
        values = values[10 if len(values) > 20 else 1 :]
    return median(values) if values else None


def _known(value: float | None, otherwise: float | None) -> float | None:
    return otherwise if value is None else value
