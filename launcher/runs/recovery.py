"""What comes after a worker that did not finish: the same again, a smaller step, or the end."""

from __future__ import annotations

import resource
from dataclasses import dataclass, replace

from launcher.errors import TlplanError
from launcher.exit_codes import ExitCode
from launcher.runs.folder import RunFolder
from launcher.runs.run_end import RunEnd
from launcher.runs.run_record import RunRecord
from planner.recovery import lower_rate, smaller_step
from planner.run_plan import RunPlan
from planner.shape import ModelShape
from planner.units import gib_text

RESTARTS_WITHOUT_CHECKPOINT = 3
"""A worker that dies again and again before it has saved anything will not get through."""

_LOADING = ("starting", "downloading", "tokenizing", "loading weights")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """A fresh worker is worth a try."""

    message: str
    run_plan: RunPlan | None = None
    """The plan it goes on with, None for the one in force."""


class Recoveries:
    """Judges the ends of one run's workers, one after the other."""

    def __init__(self, record: RunRecord) -> None:
        self._record = record
        self._restarts = 0
        self._checkpoints_before = 0

    def after(self, end: RunEnd) -> Recovery | RunEnd:
        """What to do after a worker that ended so: go on, or the run's end with its hints."""
        if end.code == ExitCode.OUT_OF_MEMORY:
            return self._smaller(end)
        if end.code == ExitCode.DIVERGED:
            return self._slower(end)
        if end.crashed:
            return self._again(end)
        return end

    def _again(self, end: RunEnd) -> Recovery | RunEnd:
        if self._record.checkpoints_written > self._checkpoints_before:
            self._restarts = 0
        self._checkpoints_before = self._record.checkpoints_written
        self._restarts += 1
        if self._restarts > RESTARTS_WITHOUT_CHECKPOINT:
            reason = f"{end.reason}, {self._restarts} times without a checkpoint in between"
            return replace(end, reason=reason)
        return Recovery(message=f"{end.reason}; starting a fresh one")

    def _slower(self, end: RunEnd) -> Recovery | RunEnd:
        lowered = lower_rate(self._record.plan)
        if lowered is None:
            return end
        return Recovery(
            message=f"{end.reason}; once more with {lowered.change}", run_plan=lowered.run_plan
        )

    def _smaller(self, end: RunEnd) -> Recovery | RunEnd:
        plan = self._record.plan
        shape = _shape(plan)
        if shape is None:
            return end
        step = smaller_step(plan, shape, while_loading=self._record.phase in _LOADING)
        if step is None:
            from launcher.runs.what_fits import what_would_fit  # reads every card

            return replace(
                end,
                reason=f"{end.reason}, and no smaller step is left",
                hints=(
                    *_address_limit(),
                    *what_would_fit(plan, shape),
                    *_kept(self._record.folder),
                ),
            )
        peak = gib_text(step.run_plan.hardware.predicted_peak_bytes)
        return Recovery(
            message=f"{end.reason}; going on with {step.change}, predicted peak {peak} GiB",
            run_plan=step.run_plan,
        )


def _shape(plan: RunPlan) -> ModelShape | None:
    from launcher.models import resolve_model  # hwdb's rows

    try:
        return resolve_model(plan.model.folder or plan.model.hub_id or plan.model.name).shape
    except TlplanError:
        return None


def _address_limit() -> tuple[str, ...]:
    """A limit of this process that runs out long before the memory of the machine does."""
    limit_bytes = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit_bytes == resource.RLIM_INFINITY:
        return ()
    limit = f"{gib_text(limit_bytes)} GiB at most (ulimit -v)"
    return (f"processes here may address {limit}: ulimit -v unlimited lifts that",)


def _kept(folder: RunFolder) -> tuple[str, ...]:
    return (f"tlplan resume {folder.typed} goes on when more memory is free",)
