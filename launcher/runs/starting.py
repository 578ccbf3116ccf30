"""Starting a supervisor so that it outlives whoever started it."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from contextlib import suppress
from dataclasses import replace

from launcher.errors import NoDisk, TlplanError
from launcher.exit_codes import ExitCode
from launcher.runs.folder import RunFolder
from launcher.runs.lock import RunLock
from launcher.runs.signal_inbox import STOP_SIGNALS
from launcher.runs.state import read_state
from launcher.runs.supervisor import Supervision
from launcher.runs.worker_environment import python_path

START_SECONDS = 60.0
"""How long a supervisor may take to show itself; it takes a tenth of a second."""


def start_run(
    folder: RunFolder, *, resume: bool = False, settings: Supervision | None = None
) -> int:
    """Start the supervisor of a run, detached, and return its pid once it has the run.

    Raises UsageError when somebody else has the run, TlplanError when the supervisor ended
    without taking it, with its own words and exit code.
    """
    RunLock(folder.lock).release()
    log_size_before = folder.log.stat().st_size if folder.log.exists() else 0
    # Ctrl-C must not come between the start of a process and the knowledge of its number.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        pid = _spawn(folder, replace(settings or Supervision(), resume=resume))
    except BaseException:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        _wait_until_it_has_the_run(folder, pid, log_size_before)
    except KeyboardInterrupt:
        # Nobody would know of it.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        raise
    return pid


def _wait_until_it_has_the_run(folder: RunFolder, pid: int, log_size_before: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _has_the_run(folder, pid):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            if _has_the_run(folder, pid):
                break
            raise _did_not_start(folder, status, log_size_before)
        if time.monotonic() > deadline:
            raise TlplanError(f"the run did not start within {START_SECONDS:.0f} s")
        time.sleep(0.01)


def _did_not_start(folder: RunFolder, status: int, log_size_before: int) -> TlplanError:
    code = os.waitstatus_to_exitcode(status)
    said = _last_line(folder, log_size_before)
    if said is None and code == ExitCode.NO_DISK:
        return NoDisk(
            f"the run did not start: the disk of {folder.path} is full",
            f"free some space, then tlplan resume {folder.typed}",
        )
    told = said or "it said nothing"
    failure = TlplanError(f"the run did not start: {told}", f"see {folder.log}")
    if code in set(ExitCode) - {ExitCode.DONE}:
        failure.code = ExitCode(code)
    return failure


def _spawn(folder: RunFolder, settings: Supervision) -> int:
    """A process in a session of its own: no terminal's end or Ctrl-C reaches it.

    It begins with STOP_SIGNALS as they are here: blocked, so that none is lost, or ends it,
    before it can take them.
    """
    log = os.open(folder.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.posix_spawn(
            sys.executable,
            _command(folder, settings),
            dict(os.environ) | {"PYTHONPATH": python_path()},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, nothing, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
            ],
            setsid=True,
        )
    finally:
        os.close(log)
        os.close(nothing)


def _command(folder: RunFolder, settings: Supervision) -> list[str]:
    command = [sys.executable, "-P", "-m", "launcher.runs.supervisor", str(folder.path)]
    if settings.resume:
        command.append("--resume")
    command += ["--grace", str(settings.grace_seconds)]
    command += ["--rehearse", settings.rehearse]
    command += ["--patience", str(settings.patience_seconds)]
    return [*command, "--worker", shlex.join(settings.worker_command)]


def _has_the_run(folder: RunFolder, pid: int) -> bool:
    state = read_state(folder)
    return state is not None and state.supervisor_pid == pid


def _last_line(folder: RunFolder, offset: int) -> str | None:
    words = folder.log.read_bytes()[offset:].decode(errors="replace")
    lines = [line for line in words.splitlines() if line.strip()]
    return lines[-1].removeprefix("error: ") if lines else None
