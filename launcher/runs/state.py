"""state.json: where a run is now, and whether anybody is still working on it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Literal

from launcher.exit_codes import ExitCode
from launcher.runs.atomic_file import replace_json
from launcher.runs.folder import RunFolder
from launcher.runs.process_identity import ProcessIdentity

Liveness = Literal["running", "finished", "failed", "interrupted", "lost"]

REHEARSED = "rehearsed"
"""The phase of a run that was only rehearsed: `tlplan resume` starts its training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """A run at one moment, as its supervisor saw it."""

    phase: str
    step: int
    total_steps: int | None
    supervisor_pid: int
    supervisor_started: str
    """When that process started; a later process may have been given the same pid."""
    worker_pid: int | None
    heartbeat: str
    """ISO time of this state."""
    exit_code: int | None
    """None while the run goes on."""
    reason: str | None
    """Why it ended, None while it goes on and when it is done."""
    attempt: int
    """1 for the launch, one more for each resume."""
    loss: float | None
    """Of the last step."""
    peak_bytes: int | None
    """Highest memory of the run so far: of the card, or of the host on the CPU."""

    def supervisor(self) -> ProcessIdentity:
        """The process that looks after the run."""
        return ProcessIdentity(pid=self.supervisor_pid, started=self.supervisor_started)


def write_state(folder: RunFolder, state: RunState) -> None:
    """Replace state.json; raises OSError when the disk is full."""
    replace_json(folder.state, asdict(state), durable=state.exit_code is not None)


def read_state(folder: RunFolder) -> RunState | None:
    """The state, None before the first was written or when the file is no state."""
    try:
        values = json.loads(folder.state.read_text(encoding="utf-8"))
        return RunState(**{field.name: values[field.name] for field in fields(RunState)})
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def liveness(folder: RunFolder) -> Liveness:
    """Whether the run goes on, and if not, how it ended.

    `lost` is a run whose supervisor went away without a word: a power cut, kill -9.
    """
    state = read_state(folder)
    if state is None:
        return "lost"
    if state.exit_code is None:
        return "running" if state.supervisor().alive() else "lost"
    if state.exit_code == ExitCode.DONE and state.phase == REHEARSED:
        return "interrupted"
    if state.exit_code == ExitCode.DONE:
        return "finished"
    if state.exit_code in (ExitCode.INTERRUPTED, ExitCode.STOPPED):
        return "interrupted"
    return "failed"
