"""`tlplan runs`: the runs here, one line each, the one active last first."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from launcher import stderr
from launcher.errors import UsageError
from launcher.exit_codes import ExitCode
from launcher.runs.folder import RUNS_ROOT, RunFolder, all_runs, last_active
from launcher.runs.state import REHEARSED, Liveness, liveness, read_state
from launcher.runs.stored_plan import plan_in_force
from launcher.view.words import gib, loss

HELP = "the runs here, one line each"

NAME_COLUMNS = 25
_ROW = f"{{:<{NAME_COLUMNS}}} {{:<6}} {{:<11}} {{:>9}} {{:>6}} {{:>9}} {{:>8}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run in one line. Unknown is None."""

    name: str
    folder: str
    model: str | None
    method: str | None
    state: Liveness
    step: int | None
    total_steps: int | None
    loss: float | None
    peak_bytes: int | None
    predicted_peak_bytes: int | None
    exit_code: int | None
    reason: str | None
    last_active: float
    """Unix time of its last sign of life."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How they are listed."""
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """List them."""
    summaries = [summary(folder) for folder in all_runs(RUNS_ROOT)]
    if arguments.json:
        document = {"schema_version": 1, "runs": [asdict(each) for each in summaries]}
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    elif summaries:
        sys.stdout.write("\n".join(table(summaries, now=time.time())) + "\n")
    else:
        stderr.note(f"there is no run in {RUNS_ROOT.absolute()}; tlplan launch starts one")
    return ExitCode.DONE


def summary(folder: RunFolder) -> RunSummary:
    """What a run folder says of itself; a broken plan leaves its part unknown."""
    try:
        plan = plan_in_force(folder)
    except UsageError:
        plan = None
    state = read_state(folder)
    return RunSummary(
        name=folder.name,
        folder=str(folder.path),
        model=plan.model.name if plan else None,
        method=plan.method.name if plan else None,
        state=liveness(folder),
        step=state.step if state else None,
        total_steps=state.total_steps if state else None,
        loss=state.loss if state else None,
        peak_bytes=state.peak_bytes if state else None,
        predicted_peak_bytes=plan.hardware.predicted_peak_bytes if plan else None,
        exit_code=state.exit_code if state else None,
        reason=state.reason if state else None,
        last_active=last_active(folder),
    )


def table(summaries: Sequence[RunSummary], *, now: float) -> Iterator[str]:
    """The summaries under their heads, in 80 columns."""
    yield _ROW.format("RUN", "METHOD", "STATE", "STEP", "LOSS", "PEAK GiB", "ACTIVE")
    for each in summaries:
        yield _ROW.format(
            shortened(each.name, NAME_COLUMNS),
            each.method or "-",
            _state(each),
            _steps(each),
            loss(each.loss)[:6],
            f"{gib(each.peak_bytes)}/{gib(each.predicted_peak_bytes)}",
            ago(now - each.last_active),
        )


def shortened(name: str, columns: int) -> str:
    """A name with its middle left out; its number at the end stays."""
    if len(name) <= columns:
        return name
    tail = columns // 2
    return f"{name[: columns - tail - 2]}..{name[-tail:]}"


def ago(seconds: float) -> str:
    """How long ago in at most eight characters."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit} ago"
    return "now"


def _state(each: RunSummary) -> str:
    """One that was to be rehearsed and no more was interrupted by nobody."""
    return REHEARSED if each.state == "interrupted" and not each.exit_code else each.state


def _steps(each: RunSummary) -> str:
    if each.step is None:
        return "-"
    if each.total_steps is None:
        return str(each.step)
    text = f"{each.step}/{each.total_steps}"
    return text if len(text) <= 9 else f"{each.step / each.total_steps:.0%}"
