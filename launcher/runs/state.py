"""state.json: where a run is now, and whether anybody is still working on it."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Literal

from launcher.exit_codes import ExitCode
from launcher.runs.atomic_file import replace_json
from launcher.runs.folder import RunFolder
from launcher.runs.process_identity import ProcessIdentity

Liveness = Literal["running", "finished", "failed", "interrupted", "lost"]

HEARD_SECONDS = 60.0
"""A supervisor on another machine that wrote nothing for so long is gone; it writes each second."""

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
    host: str | None = None
    """The machine it runs on; run folders may lie on a disk that several share."""

    def supervisor(self) -> ProcessIdentity:
        """The process that looks after the run."""
        return ProcessIdentity(
            pid=self.supervisor_pid, started=self.supervisor_started, host=self.host
        )

    def goes_on(self) -> bool:
        """Whether its supervisor is there; on another machine: was heard of a moment ago."""
        supervisor = self.supervisor()
        return supervisor.alive() if supervisor.here else self._was_heard()

    def _was_heard(self) -> bool:
        try:
            heard = datetime.fromisoformat(self.heartbeat).timestamp()
        except ValueError:
            return False
        return abs(time.time() - heard) < HEARD_SECONDS


def write_state(folder: RunFolder, state: RunState) -> None:
    """Replace state.json; raises OSError when the disk is full."""
    replace_json(folder.state, asdict(state), durable=state.exit_code is not None)


def read_state(folder: RunFolder) -> RunState | None:
    """The state, None before the first was written or when the file is no state."""
    try:
        values = json.loads(folder.state.read_text(encoding="utf-8"))
        known = {each.name: values[each.name] for each in fields(RunState) if each.name != "host"}
        return RunState(**known, host=values.get("host"))
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
        return "running" if state.goes_on() else "lost"
    if state.exit_code == ExitCode.DONE and state.phase == REHEARSED:
        return "interrupted"
    if state.exit_code == ExitCode.DONE:
        return "finished"
    if state.exit_code in (ExitCode.INTERRUPTED, ExitCode.STOPPED):
        return "interrupted"
    return "failed"
