"""The plan a run folder was made with, as the values a launch works with."""

from __future__ import annotations

from launcher.errors import UsageError
from launcher.runs.folder import RunFolder
from planner.run_plan import RunPlan


def stored_plan(folder: RunFolder) -> RunPlan:
    """Read plan.yaml of a run; raises UsageError, with the line, when it is no plan any more."""
    from planner.plan_file import PlanFileError, read_plan_file  # yaml: about 20 ms

    try:
        return read_plan_file(folder.plan.read_text(encoding="utf-8"), str(folder.plan))
    except PlanFileError as problem:
        raise UsageError(str(problem), *problem.hints) from problem
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"{folder.plan} cannot be read: {problem}") from problem
