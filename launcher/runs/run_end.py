"""How a worker's end is to be understood: the exit code of the run, why, and what to do next."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from launcher.exit_codes import ExitCode
from launcher.runs.events import Event
from launcher.runs.folder import RunFolder

Stop = Literal["not asked", "asked", "out of patience", "at once"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """The last word on a run."""

    code: int
    reason: str | None
    """None when it is done."""
    hints: tuple[str, ...] = ()
    crashed: bool = False
    """The worker went without a word of its own; a fresh one may well get through."""
    rehearsed: bool = False
    """Only the rehearsal is done, as asked; the training can still be started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEnd:
    """What is known about a worker that is gone."""

    status: int
    """Exit code, or -N when signal N ended it."""
    stop: Stop
    last_word: Event | None
    """Its own `finished` or `setback` event."""
    memory_kills: int
    """Processes of this machine that the kernel killed for memory while it ran."""
    silent_seconds: float | None = None
    """Set when it was killed because it showed no sign of life for so long."""
    lost_gpu: str | None = None
    """Why the driver no longer answers for the card, None while it does."""


def understand(end: WorkerEnd, folder: RunFolder) -> RunEnd:
    """The run's end as its worker's end shows it."""
    word = end.last_word["type"] if end.last_word is not None else None
    if word in ("finished", "rehearsal"):
        # Its last act. Whatever a library then does at the end of the process changes nothing.
        return RunEnd(code=ExitCode.DONE, reason=None)
    if end.status == ExitCode.INTERRUPTED or (end.status < 0 and end.stop != "not asked"):
        return _stopped(end, folder)
    if end.lost_gpu is not None:
        return _gpu_lost(end.lost_gpu, folder)
    if end.last_word is not None and word == "setback":
        return _told(end.last_word)
    if end.silent_seconds is not None:
        return _hung(end.silent_seconds, folder)
    if end.status < 0:
        return _killed(end, folder)
    if end.stop != "not asked":
        # Asked in the middle of an import, it may end as whatever the import makes of it.
        return _stopped(end, folder)
    return _silent(end.status, folder)


def memory_kills() -> int:
    """How many processes the kernel has killed for memory since the machine started."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _gpu_lost(reason: str, folder: RunFolder) -> RunEnd:
    return RunEnd(
        code=ExitCode.MISSING_HERE,
        reason=f"the GPU of this run is gone: {reason}",
        hints=(
            "dmesg | grep -i xid says why; a lost card usually needs a restart of the machine",
            f"then tlplan resume {folder.typed} goes on from the last checkpoint",
        ),
    )


def _hung(seconds: float, folder: RunFolder) -> RunEnd:
    return RunEnd(
        code=ExitCode.BUG,
        reason=f"the training process hung: no sign of life for {seconds:.0f} s, so it was killed",
        hints=(_log_hint(folder), _resume_hint(folder)),
        crashed=True,
    )


_LAST_WORDS_BYTES = 4096
_ABORTS_FOR_MEMORY = (b"std::bad_alloc", b"memory allocation of ", b"Cannot allocate memory")

_WORDS_OF_CODES = {
    ExitCode.NO_DISK: "the disk is full: the training process could not even say where",
    ExitCode.OUT_OF_MEMORY: "the training process ran out of memory",
}


def _silent(status: int, folder: RunFolder) -> RunEnd:
    code = status if status in set(ExitCode) else ExitCode.BUG
    reason = f"the training process ended with code {status} and said nothing"
    return RunEnd(
        code=code or ExitCode.BUG,
        reason=_WORDS_OF_CODES.get(ExitCode(code), reason),
        hints=(_log_hint(folder), _resume_hint(folder)),
    )


def _told(failed: Event) -> RunEnd:
    code = failed.get("code")
    return RunEnd(
        code=code if isinstance(code, int) and code else ExitCode.BUG,
        reason=str(failed.get("reason") or "the training process gave no reason"),
        hints=tuple(str(hint) for hint in failed.get("hints") or ()),
    )


def _stopped(end: WorkerEnd, folder: RunFolder) -> RunEnd:
    resume = (_resume_hint(folder),)
    if end.stop == "at once":
        return RunEnd(code=ExitCode.STOPPED, reason="stopped at once, on request", hints=resume)
    if end.stop == "out of patience":
        reason = "stopped on request; it did not end in time and was killed"
    else:
        reason = "stopped on request"
    return RunEnd(code=ExitCode.INTERRUPTED, reason=reason, hints=resume)


def _killed(end: WorkerEnd, folder: RunFolder) -> RunEnd:
    number = -end.status
    hints = (_log_hint(folder), _resume_hint(folder))
    if number == signal.SIGKILL and end.memory_kills:
        return RunEnd(
            code=ExitCode.OUT_OF_MEMORY,
            reason="the kernel killed the training process: out of host memory",
            hints=hints,
        )
    if number == signal.SIGABRT and _aborted_for_memory(folder):
        return RunEnd(
            code=ExitCode.OUT_OF_MEMORY,
            reason="the training process got no more host memory and aborted",
            hints=hints,
        )
    return RunEnd(
        code=ExitCode.BUG,
        reason=f"the training process was killed (signal {number}, {_signal_name(number)})",
        hints=hints,
        crashed=True,
    )


def _aborted_for_memory(folder: RunFolder) -> bool:
    """Whether C++ or Rust, which end the process where Python raises MemoryError, said so."""
    try:
        with folder.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _LAST_WORDS_BYTES))
            words = log.read()
    except OSError:
        return False
    return any(each in words for each in _ABORTS_FOR_MEMORY)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def _resume_hint(folder: RunFolder) -> str:
    return f"tlplan resume {folder.typed} goes on from the last checkpoint"


def _log_hint(folder: RunFolder) -> str:
    return f"its last words are in {folder.log}"
