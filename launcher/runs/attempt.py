"""One worker, watched from its start to its end: memory, signs of life, and requests to stop."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from launcher.runs.lock import RunLock
from launcher.runs.memory_watch import MemoryWatch
from launcher.runs.pressure import PressureWatch
from launcher.runs.pulse import Pulse
from launcher.runs.run_end import Stop, WorkerEnd, memory_kills
from launcher.runs.run_record import RunRecord
from launcher.runs.signal_inbox import STOP_SIGNALS, SignalInbox
from launcher.runs.worker_environment import worker_environment
from launcher.runs.worker_process import WorkerProcess

HEARTBEAT_SECONDS = 2.0
SAME_REQUEST_SECONDS = 3.0
"""A SIGTERM so soon after a request to stop is the same request: a service manager, a scheduler or
a machine that shuts down sends it to every process of a run, and those pass it on."""


@dataclass(slots=True, kw_only=True)
class StopRequests:
    """What was asked of a run by signals, whichever worker runs at the time."""

    inbox: SignalInbox
    stop: Stop = "not asked"
    _asked_at: float = 0.0

    def read(self, seconds: float) -> bool:
        """Wait for signals at most that long; whether one of them asks for more than before."""
        before = self.stop
        numbers = self.inbox.wait(seconds)
        # Of two at once the kernel delivers SIGINT first, whichever of them was sent first.
        two = set(STOP_SIGNALS) <= set(numbers)
        for number in numbers:
            if number not in STOP_SIGNALS:
                continue
            now = time.monotonic()
            if self.stop == "not asked":
                self.stop, self._asked_at = "asked", now
            elif two or number == signal.SIGINT or now - self._asked_at > SAME_REQUEST_SECONDS:
                self.stop = "at once"
        return self.stop != before


class Attempt:
    """Starts a worker and stays until it is gone."""

    def __init__(
        self,
        record: RunRecord,
        requests: StopRequests,
        *,
        grace_seconds: float,
        patience_seconds: float,
    ) -> None:
        self._record = record
        self._requests = requests
        self._grace_seconds = grace_seconds
        self._patience_seconds = patience_seconds
        self._deadline: float | None = None
        self._silent_seconds: float | None = None
        self._next_beat = 0.0

    def run(self, command: Sequence[str], lock: RunLock) -> WorkerEnd:
        """How the worker ended; no process of its group is left when this returns or raises."""
        record = self._record
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
        return WorkerEnd(
            status=status,
            stop=self._requests.stop,
            last_word=record.last_word,
            memory_kills=memory_kills() - kills_before,
            silent_seconds=self._silent_seconds,
            lost_gpu=memory.lost_gpu,
        )

    def _watch(self, worker: WorkerProcess, memory: MemoryWatch) -> None:
        self._record.worker_pid = worker.pid
        next_sample = time.monotonic()
        pulse = Pulse(
            self._record.folder.pulse, patience_seconds=self._patience_seconds, now=next_sample
        )
        pressure = PressureWatch(tell=self._record.tell)
        while not worker.ended():
            next_look = next_sample if self._deadline is None else min(next_sample, self._deadline)
            if self._requests.read(next_look - time.monotonic()):
                self._stop(worker)
            now = time.monotonic()
            self._keep_deadline(worker, now, gpu_lost=memory.lost_gpu is not None)
            if now < next_sample:
                continue
            next_sample = now + memory.seconds
            if self._record.catch_up():
                pulse.sign(now)
            if self._record.last_word is None:  # the end of a run is its last event
                memory.sample(worker.pid, now)
            self._beat(now)
            if self._record.phase == "training" and pressure.critical(memory.host):
                worker.ask_to_save()
            self._end_if_hung(worker, pulse, now)

    def _stop(self, worker: WorkerProcess) -> None:
        if self._requests.stop == "asked":
            self._record.enter("stopping")
            self._deadline = time.monotonic() + self._grace_seconds
            worker.ask_to_stop()
        else:
            worker.kill()

    def _keep_deadline(self, worker: WorkerProcess, now: float, *, gpu_lost: bool) -> None:
        if gpu_lost and self._deadline is None:
            self._deadline = now + self._grace_seconds  # to end by itself, with its own words
        if self._deadline is None or now < self._deadline:
            return
        if self._requests.stop == "asked":
            self._requests.stop = "out of patience"
        worker.kill()
        self._deadline = now + self._grace_seconds

    def _end_if_hung(self, worker: WorkerProcess, pulse: Pulse, now: float) -> None:
        silent = pulse.look(worker.pid, phase=self._record.phase, now=now)
        if silent is not None and self._deadline is None:
            self._silent_seconds = silent
            worker.kill()

    def _beat(self, now: float) -> None:
        if now >= self._next_beat:
            self._next_beat = now + HEARTBEAT_SECONDS
            self._record.beat()
