"""One owner for a run folder: two supervisors never write the same run."""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from launcher.errors import NoDisk, TlplanError, UsageError
from launcher.runs.disk import is_full
from launcher.runs.folder import RunFolder
from launcher.runs.process_identity import ProcessIdentity, this_process
from launcher.runs.state import read_state


class RunLock:
    """A lock held as long as `descriptor` is open anywhere.

    The kernel gives it back when its owner dies, so a stale one cannot stay. The worker
    inherits the descriptor: a worker that outlives its supervisor keeps the folder locked.
    """

    def __init__(self, path: Path, *, patience_seconds: float = 0.0) -> None:
        """Take the lock, waiting so long for another process to let go of it.

        Raises UsageError naming the owner when another process has it. UsageError as well where a
        run folder cannot be written or its file system has no locks, NoDisk where not even a file
        of no bytes can be made.
        """
        try:
            self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as problem:
            raise _not_writable(path, problem) from problem
        try:
            _take(self.descriptor, patience_seconds)
        except BlockingIOError:
            os.close(self.descriptor)
            raise _in_use(path) from None
        except OSError as problem:
            os.close(self.descriptor)
            raise _without_locks(path, problem) from problem
        with suppress(OSError):  # a full disk; who has it is only for words
            os.ftruncate(self.descriptor, 0)
            os.pwrite(self.descriptor, json.dumps(asdict(this_process())).encode(), 0)

    def release(self) -> None:
        """Let others have the folder."""
        os.close(self.descriptor)


def _take(descriptor: int, patience_seconds: float) -> None:
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return


def lock_owner(path: Path) -> ProcessIdentity | None:
    """Who took the lock last, dead or alive; None when nobody did."""
    try:
        return ProcessIdentity(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def is_being_saved(path: Path) -> bool:
    """Whether the worker of a supervisor that was killed still has the folder.

    It notices that it is alone, saves and ends.
    """
    try:
        RunLock(path).release()
    except UsageError:
        owner = lock_owner(path)
        return owner is not None and owner.here and not owner.alive()
    return False


def _in_use(path: Path) -> UsageError:
    owner = lock_owner(path)
    if owner is not None and not owner.here:
        return UsageError(
            f"{path.parent} is in use by process {owner.pid} on {owner.host}",
            f"tlplan watch {RunFolder(path.parent).typed}",
        )
    if owner is not None and not owner.alive():
        pid = _holder(path)
        return UsageError(
            f"{path.parent} is still being saved by the worker of a supervisor that was killed",
            "try again when it is done, usually within a step",
            *([f"kill -9 {pid} ends it if it hangs"] if pid else []),
        )
    who = f"process {owner.pid}" if owner else "another process"
    return UsageError(
        f"{path.parent} is in use by {who}", f"tlplan watch {RunFolder(path.parent).typed}"
    )


def _holder(path: Path) -> int | None:
    """The worker that keeps the lock, None where nobody says which process it is."""
    state = read_state(RunFolder(path.parent))
    if state is None or state.worker_pid is None:
        return None
    try:
        files = [each.readlink() for each in Path(f"/proc/{state.worker_pid}/fd").iterdir()]
    except OSError:
        return None
    return state.worker_pid if path.resolve() in files else None


def _not_writable(path: Path, problem: OSError) -> TlplanError:
    if is_full(problem):
        return NoDisk(f"the disk of {path.parent} is full", "free some space, then try again")
    return UsageError(
        f"{path.parent} cannot be written: {problem.strerror}",
        "copy the run folder to where you may write, and resume it there",
    )


def _without_locks(path: Path, problem: OSError) -> UsageError:
    return UsageError(
        f"the file system of {path.parent} gives no locks ({problem.strerror}), without which two "
        "processes could write one run",
        "--out DIR puts a run on another disk; what is there can be copied to it",
    )
