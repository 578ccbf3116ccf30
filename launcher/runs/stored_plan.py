"""Plan files on disk, as the values a launch works with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from launcher.errors import UsageError
from launcher.runs.folder import RunFolder
from launcher.runs.provenance import commit_of
from planner.run_plan import RunPlan


def stored_plan(folder: RunFolder) -> RunPlan:
    """Read plan.yaml of a run; raises UsageError, with the line, when it is no plan any more."""
    return read_plan(folder.plan)[1]


def plan_in_force(folder: RunFolder) -> RunPlan:
    """The plan a worker carries out: as asked, or as recovery or rehearsal amended it.

    The revision of a Hub model is the commit that was fetched, once it was: a branch may move on
    while a run is interrupted. Raises UsageError, with the line, when it is no plan any more.
    """
    plan = read_plan(folder.amended if folder.amended.exists() else folder.plan)[1]
    commit = commit_of(folder) if plan.model.folder is None else None
    return plan if commit is None else replace(plan, model=replace(plan.model, revision=commit))


def read_plan(path: str | Path) -> tuple[str, RunPlan]:
    """The text of a plan file and what it says; raises UsageError naming file and line."""
    from planner.plan_file import PlanFileError, read_plan_file  # yaml: about 20 ms

    try:
        text = Path(path).read_text(encoding="utf-8")
        return text, read_plan_file(text, str(path))
    except PlanFileError as problem:
        raise UsageError(str(problem), *problem.hints) from problem
    except FileNotFoundError:
        raise UsageError(
            f"{path}: there is no such plan file", "tlplan plan --model NAME --data FILE -o FILE"
        ) from None
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"{path} cannot be read: {problem}") from problem
