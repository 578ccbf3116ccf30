"""From a ready plan to a run or a file: what the last step does."""

from __future__ import annotations

import errno
from pathlib import Path

from launcher.errors import NoDisk, UsageError
from launcher.runs.folder import RunFolder, check_free, create
from launcher.runs.starting import start_run
from launcher.settling import ReadyPlan


def begin(ready: ReadyPlan) -> Path:
    """Make the run folder, start its supervisor and return the folder.

    Raises TlplanError; then nothing runs.
    """
    path = Path(ready.run_plan.output.folder)
    check_free(path)
    folder = _created(path, ready.text)
    start_run(folder)
    return folder.path


def _created(path: Path, text: str) -> RunFolder:
    try:
        return create(path, text)
    except OSError as problem:
        reason = f"{path} cannot be made: {problem.strerror}"
        if problem.errno in _FULL:
            raise NoDisk(reason) from problem
        raise UsageError(reason, "start tlplan in a folder you may write to") from problem


def save_plan(ready: ReadyPlan, folder: Path) -> Path:
    """Write the plan beside what is there already, never over it; raises UsageError."""
    for number in range(1, 1000):
        path = folder / ("plan.yaml" if number == 1 else f"plan-{number:02d}.yaml")
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(ready.text)
        except FileExistsError:
            continue
        except OSError as problem:
            raise UsageError(
                f"{path} cannot be written: {problem.strerror}",
                "start tlplan in a folder you may write to",
            ) from problem
        return path
    raise UsageError(f"{folder} holds a thousand plans already")


_FULL = (errno.ENOSPC, errno.EDQUOT)
