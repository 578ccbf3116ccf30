"""The process that looks after a run: starts the worker, watches it, and writes how it ended.

    python -m launcher.runs.supervisor RUN_DIR [--resume] [--grace SECONDS] [--worker COMMAND]

It outlives the terminal and the view. SIGTERM or SIGINT once asks the worker to save and end;
a second one ends it at once.
"""

from __future__ import annotations

import argparse
import os
import shlex
import time
import traceback
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from launcher.errors import TlplanError
from launcher.exit_codes import ExitCode
from launcher.runs.checkpoints import newest_verified
from launcher.runs.folder import RunFolder
from launcher.runs.gpu_choice import gpu_for
from launcher.runs.lock import RunLock
from launcher.runs.memory_watch import SAMPLE_SECONDS, MemoryWatch
from launcher.runs.provenance import record_provenance
from launcher.runs.run_end import RunEnd, Stop, WorkerEnd, memory_kills, understand
from launcher.runs.run_record import RunRecord, plan_facts
from launcher.runs.signal_inbox import STOP_SIGNALS, SignalInbox
from launcher.runs.stored_plan import stored_plan
from launcher.runs.worker_environment import worker_environment
from launcher.runs.worker_process import WORKER_COMMAND, WorkerProcess

GRACE_SECONDS = 30.0
"""What a worker gets to save and end, beside the time of two steps."""
HEARTBEAT_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """How a run is looked after."""

    resume: bool = False
    grace_seconds: float = GRACE_SECONDS
    worker_command: tuple[str, ...] = WORKER_COMMAND


class Supervisor:
    """One attempt at a run, from the start of its worker to its last word."""

    def __init__(self, record: RunRecord, inbox: SignalInbox, settings: Supervision) -> None:
        self._record = record
        self._inbox = inbox
        self._settings = settings
        self._stop: Stop = "not asked"
        self._deadline: float | None = None
        self._next_beat = 0.0

    def run(self, lock: RunLock) -> RunEnd:
        """Train once and say how it ended; no child is left when this returns or raises."""
        record = self._record
        record.tell("plan", **plan_facts(record.folder, record.plan, record.attempt))
        record.enter("starting")
        changed = record_provenance(record.folder, record.plan)
        if changed:
            record.tell("warning", message=changed)
        record.gpu_uuid = gpu_for(record.plan.hardware)
        command = [*self._settings.worker_command, str(record.folder.path), *self._resume_from()]
        kills_before = memory_kills()
        with ExitStack() as stack:
            memory = stack.enter_context(MemoryWatch(gpu_uuid=record.gpu_uuid, tell=record.tell))
            worker = WorkerProcess(
                command,
                environment=worker_environment(
                    device=record.plan.hardware.device, gpu_uuid=record.gpu_uuid
                ),
                log_path=record.folder.log,
                lock_descriptor=lock.descriptor,
            )
            stack.callback(worker.finish)
            self._watch(worker, memory)
            status = worker.finish()
        record.catch_up()
        end = WorkerEnd(
            status=status,
            stop=self._stop,
            last_word=record.last_word,
            memory_kills=memory_kills() - kills_before,
        )
        return understand(end, record.folder)

    def _resume_from(self) -> list[str]:
        if not self._settings.resume:
            return []
        checkpoint, skipped = newest_verified(self._record.folder.path)
        for reason in skipped:
            self._record.tell("warning", message=f"skipped a broken checkpoint: {reason}")
        if checkpoint is None:
            self._record.tell("recovery", message="there is no checkpoint: starting at step 0")
            return []
        self._record.tell("recovery", message=f"going on from {checkpoint.name}")
        return ["--resume-from", str(checkpoint)]

    def _watch(self, worker: WorkerProcess, memory: MemoryWatch) -> None:
        self._record.worker_pid = worker.pid
        next_sample = time.monotonic()
        while not worker.ended():
            for number in self._inbox.wait(next_sample - time.monotonic()):
                if number in STOP_SIGNALS:
                    self._stop_asked(worker)
            now = time.monotonic()
            if now >= next_sample:
                next_sample = now + SAMPLE_SECONDS
                memory.sample(worker.pid, now)
                self._record.catch_up()
                self._beat(now)
                self._keep_deadline(worker, now)

    def _stop_asked(self, worker: WorkerProcess) -> None:
        if self._stop == "not asked":
            self._stop = "asked"
            self._record.enter("stopping")
            step_seconds = self._record.numbers.usual_step_seconds() or 0.0
            self._deadline = time.monotonic() + self._settings.grace_seconds + 2 * step_seconds
            worker.ask_to_stop()
        else:
            self._stop = "at once"
            worker.kill()

    def _keep_deadline(self, worker: WorkerProcess, now: float) -> None:
        if self._deadline is not None and now > self._deadline and self._stop == "asked":
            self._stop = "out of patience"
            worker.kill()

    def _beat(self, now: float) -> None:
        if now >= self._next_beat:
            self._next_beat = now + HEARTBEAT_SECONDS
            self._record.beat()


def supervise(folder: RunFolder, settings: Supervision) -> int:
    """Run to the end and return the exit code; raises UsageError when the run has an owner."""
    lock = RunLock(folder.lock)
    inbox = SignalInbox()
    record = RunRecord(folder, stored_plan(folder))
    try:
        end = Supervisor(record, inbox, settings).run(lock)
    except TlplanError as failure:
        end = RunEnd(code=failure.code, reason=failure.message, hints=failure.hints)
    except Exception as failure:  # noqa: BLE001 - told in the log and in the events
        traceback.print_exc()
        end = RunEnd(
            code=ExitCode.BUG,
            reason=f"the supervisor failed: {type(failure).__name__}: {failure}",
            hints=(f"the whole story is in {folder.log}",),
        )
    record.close(end)
    # Before anybody can see that the run is over and try to resume it.
    lock.release()
    record.sign_off(end)
    return end.code


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the supervisor process."""
    parser = argparse.ArgumentParser(prog="launcher.runs.supervisor")
    parser.add_argument("run", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--grace", type=float, default=GRACE_SECONDS, metavar="SECONDS")
    parser.add_argument("--worker", type=shlex.split, default=WORKER_COMMAND, metavar="COMMAND")
    options = parser.parse_args(arguments)
    with suppress(PermissionError):  # it leads a session already
        os.setsid()
    settings = Supervision(
        resume=options.resume, grace_seconds=options.grace, worker_command=tuple(options.worker)
    )
    try:
        return supervise(RunFolder(options.run.absolute()), settings)
    except TlplanError as failure:
        parser.exit(failure.code, f"error: {failure.message}\n")


if __name__ == "__main__":
    raise SystemExit(main())
