"""The file of finished runs: $XDG_DATA_HOME/tlplan/runs.sqlite3, or below ~/.local/share.

Nothing here ever makes a run or an estimate fail: a file that cannot be read teaches nothing, one
that cannot be written stays as it was.
"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from planner.memory.correction import Measured
from planner.speed.correction import TimedRun

if TYPE_CHECKING:
    import sqlite3

_NEWEST = 20
"""Older runs of a kind say less about the next one."""

_TABLE = """
CREATE TABLE IF NOT EXISTS runs (
    folder TEXT NOT NULL,
    finished TEXT NOT NULL,
    model TEXT NOT NULL,
    device TEXT NOT NULL,
    machine TEXT NOT NULL,
    stack TEXT NOT NULL,
    method TEXT NOT NULL,
    estimated_bytes INTEGER NOT NULL,
    measured_bytes INTEGER NOT NULL,
    estimated_allocated_bytes INTEGER NOT NULL,
    measured_allocated_bytes INTEGER,
    report TEXT NOT NULL,
    PRIMARY KEY (folder, model, method)
)
"""

_TIMES = """
CREATE TABLE IF NOT EXISTS step_times (
    folder TEXT NOT NULL,
    finished TEXT NOT NULL,
    model TEXT NOT NULL,
    device TEXT NOT NULL,
    machine TEXT NOT NULL,
    stack TEXT NOT NULL,
    method TEXT NOT NULL,
    estimated_seconds REAL NOT NULL,
    measured_seconds REAL NOT NULL,
    PRIMARY KEY (folder, model, method)
)
"""


# Columns by name: a newer tlplan may have added some.
_KEEP = (
    "INSERT OR REPLACE INTO runs (folder, finished, model, device, machine, stack, method,"
    " estimated_bytes, measured_bytes, estimated_allocated_bytes, measured_allocated_bytes,"
    " report) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_KEEP_TIME = (
    "INSERT OR REPLACE INTO step_times (folder, finished, model, device, machine, stack, method,"
    " estimated_seconds, measured_seconds) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Kind(NamedTuple):
    """Runs that say something about each other."""

    device: str
    machine: str
    """Name of the card, or of the processor."""
    stack: str
    method: str


class FinishedRun(NamedTuple):
    """A run that went to its end as it was planned."""

    folder: str
    finished: str
    """ISO time."""
    model: str
    kind: Kind
    measured: Measured
    report: str
    """Its measured.json."""
    timed: TimedRun | None = None
    """None where no time was estimated or measured."""


def store_path() -> Path:
    """Where finished runs are kept."""
    home = os.environ.get("XDG_DATA_HOME") or Path("~/.local/share").expanduser()
    return Path(home) / "tlplan" / "runs.sqlite3"


def keep_run(run: FinishedRun, path: Path) -> bool:
    """Keep a run, in place of an earlier one of the same folder; False when it cannot be kept."""
    import sqlite3

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(_opened(path)) as database, database:
            database.execute(_TABLE)
            database.execute(
                _KEEP,
                (run.folder, run.finished, run.model, *run.kind, *run.measured, run.report),
            )
            if run.timed is not None:
                database.execute(_TIMES)
                database.execute(
                    _KEEP_TIME,
                    (run.folder, run.finished, run.model, *run.kind, *run.timed),
                )
    except (OSError, sqlite3.Error):
        return False
    return True


def runs_like(kind: Kind, path: Path) -> list[Measured]:
    """The newest runs of a kind; none when there is no file, or none that can be read."""
    query = (
        "SELECT estimated_bytes, measured_bytes, estimated_allocated_bytes,"
        " measured_allocated_bytes FROM runs"
        " WHERE device = ? AND machine = ? AND stack = ? AND method = ?"
        " ORDER BY finished DESC LIMIT ?"
    )
    return [Measured(*row) for row in _newest(query, kind, path)]


def times_like(kind: Kind, path: Path) -> list[TimedRun]:
    """The same of the time of a step."""
    query = (
        "SELECT estimated_seconds, measured_seconds FROM step_times"
        " WHERE device = ? AND machine = ? AND stack = ? AND method = ?"
        " ORDER BY finished DESC LIMIT ?"
    )
    return [TimedRun(*row) for row in _newest(query, kind, path)]


def _newest(query: str, kind: Kind, path: Path) -> list[tuple[Any, ...]]:
    if not path.is_file():
        return []
    import sqlite3  # 5 ms, only where a run was kept

    try:
        with closing(_opened(path, patience_seconds=1)) as database:
            rows = database.execute(query, (*kind, _NEWEST)).fetchall()
    except (OSError, sqlite3.Error):
        return []
    # SQLite takes any text for a number.
    return [row for row in rows if not any(isinstance(value, str | bytes) for value in row)]


def _opened(path: Path, *, patience_seconds: float = 10) -> sqlite3.Connection:
    """Two runs may end at the same moment; whoever only reads does not wait long for them."""
    import sqlite3

    return sqlite3.connect(path, timeout=patience_seconds)
