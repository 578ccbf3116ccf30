"""The process that looks after a run: starts workers until one is through, and says how it ended.

    python -m launcher.runs.supervisor RUN_DIR [--resume] [--grace SECONDS] [--worker COMMAND]

It outlives the terminal and the view. A worker that runs out of memory, diverges, hangs or dies is
followed by a fresh one from the newest verified checkpoint, see `recovery`. SIGTERM or SIGINT once
asks the worker to save and end; a second one ends it at once.
"""

from __future__ import annotations

import argparse
import os
import shlex
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from launcher.errors import NoDisk, TlplanError
from launcher.exit_codes import ExitCode
from launcher.runs.attempt import Attempt, StopRequests
from launcher.runs.checkpoints import (
    keep_apart_full,
    list_checkpoints,
    newest_bytes,
    newest_verified,
    remove_leftovers,
    set_aside,
)
from launcher.runs.disk import RESERVE_BYTES, is_full, require_free
from launcher.runs.folder import RunFolder
from launcher.runs.gpu_choice import gpu_for
from launcher.runs.lock import RunLock
from launcher.runs.provenance import record_provenance
from launcher.runs.pulse import PATIENCE_SECONDS
from launcher.runs.recovery import Recoveries
from launcher.runs.rehearsed import verdict, was_cut_short, with_what_was_seen
from launcher.runs.run_end import RunEnd, WorkerEnd, understand
from launcher.runs.run_record import RunRecord
from launcher.runs.signal_inbox import SignalInbox, StopAsked
from launcher.runs.stored_plan import plan_in_force
from launcher.runs.worker_process import WORKER_COMMAND

GRACE_SECONDS = 30.0
"""What a worker gets to save and end."""
_INSTANT_SECONDS = 1.0


Rehearse = Literal["only", "yes", "no"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """How a run is looked after."""

    resume: bool = False
    grace_seconds: float = GRACE_SECONDS
    patience_seconds: float = PATIENCE_SECONDS
    """Without a sign of life for that long, a worker hangs."""
    rehearse: Rehearse = "no"
    """Whether the run is rehearsed before its first step, and whether that is all."""
    worker_command: tuple[str, ...] = WORKER_COMMAND


class Supervisor:
    """One run from here on, through as many workers as it takes."""

    def __init__(self, record: RunRecord, inbox: SignalInbox, settings: Supervision) -> None:
        self._record = record
        self._settings = settings
        self._requests = StopRequests(inbox=inbox)
        self._recoveries = Recoveries(record)

    def run(self, lock: RunLock) -> RunEnd:
        """Train and say how it ended; no child is left when this returns or raises."""
        resume, rehearse = self._settings.resume, self._settings.rehearse
        if resume and was_cut_short(self._record.folder):
            rehearse = "yes"
        if rehearse != "no" and not list_checkpoints(self._record.folder.path):
            end = self._through(lock, what=("--rehearse",))
            if end.code != ExitCode.DONE:
                return end
            self._take_rehearsal()
            if rehearse == "only":
                return replace(end, rehearsed=True)
            # Its peaks were those of the worst batch, and of two models one after the other.
            told = "the rehearsal is over: starting at step 0"
            self._record.tell("recovery", message=told, replanned=True)
        return self._through(lock, resume=resume)

    def _through(
        self, lock: RunLock, *, resume: bool = False, what: tuple[str, ...] = ()
    ) -> RunEnd:
        """Start workers that do `what` until one is through or none will be."""
        while True:
            self._record.begin_attempt()
            worker_end = self._attempt(lock, resume=resume and not what, what=what)
            end = understand(worker_end, self._record.folder)
            then = self._recoveries.after(end)
            if isinstance(then, RunEnd):
                return then
            replan = then.run_plan is not None
            self._record.tell("recovery", message=then.message, replanned=replan)
            if then.run_plan is not None:
                self._record.amend(then.run_plan)
            self._record.catch_up()
            resume = True

    def _take_rehearsal(self) -> None:
        """Put what was seen in the place of what was predicted, and say the verdict again."""
        record = self._record
        seen = record.last_word
        assert seen is not None
        peak_bytes = record.numbers.peak_bytes(record.plan.hardware.device)
        record.tell(
            "rehearsal",
            **{key: value for key, value in seen.items() if key not in ("at", "seconds", "type")}
            | {"message": verdict(record.plan, seen, peak_bytes), "peak_bytes": peak_bytes},
        )
        record.amend(with_what_was_seen(record.plan, seen, peak_bytes))
        record.catch_up()

    def _attempt(self, lock: RunLock, *, resume: bool, what: tuple[str, ...]) -> WorkerEnd:
        settings, resume_from = self._settings, list[str]()
        with suppress(StopAsked), self._requests.inbox.cutting_short():
            resume_from = self._prepare(resume=resume)
        if self._requests.read(0) or self._requests.stop != "not asked":
            return WorkerEnd(
                status=ExitCode.INTERRUPTED,
                stop=self._requests.stop,
                last_word=None,
                memory_kills=0,
            )
        attempt = Attempt(
            self._record,
            self._requests,
            grace_seconds=settings.grace_seconds,
            patience_seconds=settings.patience_seconds,
        )
        run = self._record.folder.path
        return attempt.run([*settings.worker_command, str(run), *what, *resume_from], lock)

    def _prepare(self, *, resume: bool) -> list[str]:
        """Look at everything a worker needs, which may mean hashing gigabytes; how it resumes."""
        record = self._record
        changed = record_provenance(record.folder, record.plan)
        if changed:
            record.tell("warning", message=changed)
        record.gpu_uuid = gpu_for(record.plan.hardware)
        remove_leftovers(record.folder.path)
        resume_from = self._resume_from() if resume else []
        needed_bytes = (newest_bytes(record.folder.path) or 0) + RESERVE_BYTES
        require_free(record.folder.path, needed_bytes, "the next checkpoint")
        return resume_from

    def _resume_from(self) -> list[str]:
        if self._record.plan.method.name != "full" and (
            kept := keep_apart_full(self._record.folder.path)
        ):
            message = (
                "adapters cannot go on from checkpoints of the full fine-tune, so training starts "
                f"over from the base model; they are kept: {', '.join(each.name for each in kept)}"
            )
            self._record.tell("recovery", message=message)
        checkpoint, skipped = newest_verified(self._record.folder.path)
        for broken, reason in skipped.items():
            self._record.tell("warning", message=f"skipped a broken checkpoint: {reason}")
            set_aside(broken)
        if checkpoint is None:
            self._record.tell("recovery", message="there is no checkpoint: starting at step 0")
            return []
        self._record.tell("recovery", message=f"going on from {checkpoint.name}")
        return ["--resume-from", str(checkpoint)]


def supervise(folder: RunFolder, settings: Supervision) -> int:
    """Run to the end and return the exit code; raises UsageError when the run has an owner."""
    inbox = SignalInbox()
    # Others take it for an instant to see whether anybody has it.
    lock = RunLock(folder.lock, patience_seconds=_INSTANT_SECONDS)
    record = RunRecord(folder, plan_in_force(folder))
    try:
        end = Supervisor(record, inbox, settings).run(lock)
    except Exception as failure:  # noqa: BLE001 - told in the log and in the events
        end = _end_of(failure, folder)
    record.close(end)
    # Before anybody can see that the run is over and try to resume it.
    lock.release()
    record.sign_off(end)
    return end.code


def _end_of(failure: Exception, folder: RunFolder) -> RunEnd:
    if isinstance(failure, OSError) and is_full(failure):
        failure = NoDisk(
            f"the disk of {folder.path} is full", f"free some, then tlplan resume {folder.typed}"
        )
    if isinstance(failure, TlplanError):
        return RunEnd(code=failure.code, reason=failure.message, hints=failure.hints)
    with suppress(OSError):
        traceback.print_exception(failure)
    return RunEnd(
        code=ExitCode.BUG,
        reason=f"the supervisor failed: {type(failure).__name__}: {failure}",
        hints=(f"the whole story is in {folder.log}",),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the supervisor process."""
    parser = argparse.ArgumentParser(prog="launcher.runs.supervisor")
    parser.add_argument("run", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--grace", type=float, default=GRACE_SECONDS, metavar="SECONDS")
    parser.add_argument("--patience", type=float, default=PATIENCE_SECONDS, metavar="SECONDS")
    parser.add_argument("--rehearse", choices=get_args(Rehearse), default="no")
    parser.add_argument("--worker", type=shlex.split, default=WORKER_COMMAND, metavar="COMMAND")
    options = parser.parse_args(arguments)
    with suppress(PermissionError):  # it leads a session already
        os.setsid()
    settings = Supervision(
        resume=options.resume,
        grace_seconds=options.grace,
        patience_seconds=options.patience,
        rehearse=options.rehearse,
        worker_command=tuple(options.worker),
    )
    folder = RunFolder(options.run.absolute())
    try:
        return supervise(folder, settings)
    except (TlplanError, OSError) as failure:
        end = _end_of(failure, folder)
        parser.exit(end.code, f"error: {end.reason}\n")


if __name__ == "__main__":
    raise SystemExit(main())
