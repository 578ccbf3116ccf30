"""The numbers of a run, gathered event by event: losses, peaks, the usual step."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from launcher.runs.events import Event

PEAK_FIELDS = ("allocated_bytes", "reserved_bytes", "device_bytes", "host_bytes")
_PEAK_OF_FIELD = (*((name, name) for name in PEAK_FIELDS), ("host_peak_bytes", "host_bytes"))
MOST_VALUES = 8192


class Thinned:
    """Values of a long run: when there are many, every second one is forgotten.

    Their median hardly moves, and a day of steps takes no more memory than an hour.
    """

    def __init__(self) -> None:
        self.values = array("d")
        self._stride = 1
        self._until_next = 0

    def append(self, value: float) -> None:
        """Take in a value, or pass it over."""
        if self._until_next:
            self._until_next -= 1
            return
        self.values.append(value)
        if len(self.values) >= MOST_VALUES:
            self.values = self.values[::2]
            self._stride *= 2
        self._until_next = self._stride - 1


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
    replanned: bool = False
    """Whether the plan was changed on the way, so that its prediction is of another step."""
    step_seconds: Thinned = field(default_factory=Thinned)
    tokens_per_second: Thinned = field(default_factory=Thinned)

    def apply(self, event: Event) -> None:
        """Take one event in; types without numbers change nothing."""
        match event["type"]:
            case "step":
                self._apply_step(event)
            case "memory":
                self._raise_peaks(event)
            case "evaluation":
                self._apply_evaluation(event)
            case "recovery" if event.get("replanned"):
                # The peaks of a step that is no longer taken say nothing about the new plan.
                self.peaks.clear()
                self.replanned = True
            case "finished":
                for name in ("loss_first", "loss_last", "evaluation_before", "evaluation_after"):
                    setattr(self, name, _known(_number(event.get(name)), getattr(self, name)))

    def peak_bytes(self, device: str) -> int | None:
        """The peak that is compared with the plan: of the card, or of the host on the CPU."""
        return self.peaks.get("device_bytes" if device == "cuda" else "host_bytes")

    def usual_step_seconds(self) -> float | None:
        """Median duration of a step, None before there is one."""
        return usual(self.step_seconds.values)

    def usual_tokens_per_second(self) -> float | None:
        """Median speed, None before there is one."""
        return usual(self.tokens_per_second.values)

    def _apply_step(self, event: Event) -> None:
        self.step = _whole(event.get("step")) or self.step
        self.total_steps = _whole(event.get("total_steps")) or self.total_steps
        loss = _number(event.get("loss"))
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
        loss = _number(event.get("loss"))
        if event.get("when") == "before":
            # A resumed run starts behind its first steps; what was before them stays.
            self.evaluation_before = _known(self.evaluation_before, loss)
            return
        if event.get("when") == "after":
            self.evaluation_after = loss
        self.evaluation_last = loss

    def _raise_peaks(self, event: Event) -> None:
        peaks = self.peaks
        for field_name, name in _PEAK_OF_FIELD:
            value = event.get(field_name)
            if isinstance(value, int) and value > peaks.get(name, -1):
                peaks[name] = value


def usual(values: Sequence[float]) -> float | None:
    """Median without the warm-up: the first value, or the first ten of more than twenty."""
    if len(values) > 1:
        values = values[10 if len(values) > 20 else 1 :]
    return median(values) if values else None


def _number(value: object) -> float | None:
    """A number; None for whatever else a broken event holds."""
    return value if isinstance(value, (int, float)) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _known(value: float | None, otherwise: float | None) -> float | None:
    return otherwise if value is None else value
