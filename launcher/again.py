"""Going on with a run that stopped, or starting it anew with a change, from a screen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from launcher.runs.folder import RunFolder, create, default_run_folder
from launcher.runs.starting import start_run
from planner.run_plan import OutputSection, RunPlan


def resume_here(folder: RunFolder) -> RunFolder:
    """Go on from the newest whole checkpoint; raises UsageError when that cannot be."""
    from launcher.cli.resume import refuse_unless_resumable

    refuse_unless_resumable(folder)
    start_run(folder, resume=True)
    return folder


def start_anew(folder: RunFolder, run_plan: RunPlan) -> RunFolder:
    """Start a changed plan in a run folder of its own beside `folder`.

    Raises TlplanError classes when it cannot run here; then no folder is made.
    """
    from launcher.preflight import check_launch
    from planner.plan_file import plan_file_text  # yaml: about 20 ms

    path = default_run_folder(folder.path.parent, run_plan.model.name, run_plan.method.name)
    changed = replace(run_plan, output=OutputSection(folder=str(Path(path).absolute())))
    check_launch(changed, force=False)
    fresh = create(path, plan_file_text(changed, {}))
    start_run(fresh)
    return fresh
