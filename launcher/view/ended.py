"""What to know of a run that is over: how it ended, what is kept, what can be done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from launcher.errors import TlplanError
from launcher.exit_codes import ExitCode
from launcher.runs.checkpoints import list_checkpoints, step_of
from launcher.runs.folder import RunFolder
from launcher.runs.state import Liveness
from launcher.runs.stored_plan import plan_in_force
from launcher.view.cards import memory_kinds
from launcher.view.log_file import LogFile
from launcher.view.progress import RunProgress
from planner.retries import Retry, retry_with_lower_rate
from planner.run_plan import RunPlan

EndKind = Literal[
    "finished", "out of memory", "diverged", "GPU lost", "interrupted", "lost", "failed"
]
LOG_LINES = 8
_GONE = ("gpu", "card")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Something to do next."""

    action: Literal["resume", "again"]
    text: str
    retry: Retry | None = None
    """With "again": the changed plan and what it costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A file or folder of the run."""

    name: str
    size_bytes: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A run looked back at."""

    kind: EndKind
    choices: tuple[Choice, ...] = ()
    files: tuple[KeptFile, ...] = ()
    log: tuple[str, ...] = ()
    """Last lines of log.txt."""
    checkpoint_step: int | None = None
    """Of the newest checkpoint."""
    more_rows: int | None = None
    """Rows at once that would have fitted."""


def look_back(folder: RunFolder, progress: RunProgress, liveness: Liveness) -> Ended:
    """Gather it from the folder; takes up to a second where a model must be read."""
    kind = kind_of_end(progress, liveness)
    plan = _plan(folder)
    step = next((step_of(each) for each in list_checkpoints(folder.path)), None)
    return Ended(
        kind=kind,
        choices=tuple(_choices(kind, plan, progress, step)),
        files=tuple(_files(folder)),
        log=_last_lines(folder.log) if kind in ("failed", "lost") else (),
        checkpoint_step=step,
        more_rows=_more_rows(plan, progress) if kind == "finished" else None,
    )


def kind_of_end(progress: RunProgress, liveness: Liveness) -> EndKind:
    """Which of the ends it was."""
    if liveness in ("finished", "interrupted", "lost"):
        return liveness
    failure = progress.failure
    if failure is None:
        return "failed"
    if failure.code == ExitCode.OUT_OF_MEMORY:
        return "out of memory"
    if failure.code == ExitCode.DIVERGED:
        return "diverged"
    gone = any(word in failure.reason.lower() for word in _GONE)
    return "GPU lost" if failure.code == ExitCode.MISSING_HERE and gone else "failed"


def _choices(
    kind: EndKind, plan: RunPlan | None, progress: RunProgress, step: int | None
) -> Iterator[Choice]:
    if kind == "finished":
        return
    if kind == "out of memory" and plan is not None:
        from launcher.ways_on import ways_on  # reads cards and models

        capacity, peak = _capacity_and_peak(progress)
        for retry in ways_on(plan, capacity_bytes=capacity, peak_bytes=peak):
            yield Choice(action="again", text=retry.change, retry=retry)
    if kind == "diverged" and plan is not None:
        retry = retry_with_lower_rate(plan)
        yield Choice(action="again", text=f"start again with {retry.change}", retry=retry)
    where = "from its first step" if step is None else f"from step {step}"
    yield Choice(action="resume", text=f"go on as it is, {where}")


def _capacity_and_peak(progress: RunProgress) -> tuple[int | None, int | None]:
    memory = progress.memories[progress.fullest]
    planned = progress.plan.available_bytes if progress.plan else None
    kinds = memory_kinds(memory, device=progress.device, planned_free_bytes=planned)
    return kinds.free_bytes, kinds.run_bytes


def _more_rows(plan: RunPlan | None, progress: RunProgress) -> int | None:
    """Only where the run stayed below its band: otherwise it was planned to be as large."""
    capacity, peak = _capacity_and_peak(progress)
    if plan is None or peak is None or peak >= plan.hardware.predicted_low_bytes:
        return None
    from launcher.ways_on import more_rows

    return more_rows(plan, capacity_bytes=capacity, peak_bytes=peak)


def _plan(folder: RunFolder) -> RunPlan | None:
    try:
        return plan_in_force(folder)
    except TlplanError:
        return None


def _files(folder: RunFolder) -> Iterator[KeptFile]:
    newest = list_checkpoints(folder.path)[:1]
    known = [
        (folder.adapter, "the result"),
        (folder.model, "the result"),
        *[(each, "to go on from") for each in newest],
        (folder.plan, "what was asked"),
        (folder.events, "every step"),
        (folder.measured, "memory, peaks"),
        (folder.log, "all output"),
    ]
    for path, what in known:
        try:
            size = _size(path)
        except OSError:
            continue
        name = path.name + ("/" if path.is_dir() else "")
        yield KeptFile(name=name, size_bytes=size, what=what)


def _size(path: Path) -> int:
    if not path.is_dir():
        return path.stat().st_size
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())


def _last_lines(path: Path) -> tuple[str, ...]:
    log = LogFile(path)
    while log.read():
        pass
    return tuple(line for line in list(log.lines)[-40:] if line.strip())[-LOG_LINES:]
