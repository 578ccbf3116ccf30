"""What a run was planned as, and how it failed, as its events tell it."""

from __future__ import annotations

from dataclasses import dataclass

from launcher.exit_codes import ExitCode
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
