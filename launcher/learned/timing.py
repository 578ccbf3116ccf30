"""Times corrected by the runs of this machine."""

from __future__ import annotations

from collections.abc import Callable

from launcher.learned.stack import stack_text
from launcher.learned.store import Kind, store_path, times_like
from planner.budget import Budget
from planner.request import Method
from planner.speed.correction import TimeCorrection, correction_of

LearnedTime = Callable[[Method], TimeCorrection | None]


def learned_time(budget: Budget | None) -> LearnedTime | None:
    """The correction of a method's time; None where no run on this card was kept."""
    path = store_path()
    if budget is None or budget.source != "nvml" or not path.is_file():
        return None
    stack = stack_text()

    def correction(method: Method) -> TimeCorrection | None:
        kind = Kind(device=budget.device, machine=budget.name, stack=stack, method=method)
        return correction_of(times_like(kind, path))

    return correction
