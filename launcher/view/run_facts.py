"""What a run was planned as, and how it failed, as its events tell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from launcher.download_meter import Download
from launcher.exit_codes import ExitCode
from launcher.runs.events import Event
from planner.request import Device


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """What the plan said, as the `plan` event carries it."""

    model: str
    method: str
    rank: int | None
    device: Device
    gpu: str | None
    available_bytes: int | None
    predicted_allocated_bytes: int
    predicted_peak_bytes: int
    predicted_low_bytes: int
    predicted_high_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How a run ended that did not finish."""

    code: int
    reason: str
    hints: tuple[str, ...]

    @property
    def interrupted(self) -> bool:
        """Whether it was stopped on request."""
        return self.code in (ExitCode.INTERRUPTED, ExitCode.STOPPED)


class Measuring(NamedTuple):
    """How far a measurement is, as the `measuring` event carries it."""

    what: str
    done: int
    total: int

    @classmethod
    def of(cls, event: Event) -> Measuring | None:
        """None where the event is not whole."""
        done, total = event.get("done"), event.get("total")
        if not isinstance(done, int) or not isinstance(total, int):
            return None
        return cls(str(event.get("what", "")), done, total)

    def __str__(self) -> str:
        """`base with examples 12 of 30`."""
        return f"{self.what} {self.done} of {self.total}"


def download_of(event: Event) -> Download:
    """How far a download is, as the `download` event carries it."""
    done, total, speed = (
        event.get(name) for name in ("done_bytes", "total_bytes", "bytes_per_second")
    )
    return Download(
        done_bytes=done if isinstance(done, int) else 0,
        total_bytes=total if isinstance(total, int) else None,
        bytes_per_second=speed if isinstance(speed, (int, float)) else None,
        finished=event.get("finished") is True,
    )
