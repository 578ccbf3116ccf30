"""What a supervisor writes down about its run, and what it reads of the worker's own events."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from launcher.learned.keeping import keep_measured
from launcher.learned.store import store_path
from launcher.runs.atomic_file import replace_json, replace_text
from launcher.runs.disk import DiskReserve
from launcher.runs.events import Event, EventLog, EventTail, iso_time, read_events
from launcher.runs.folder import RunFolder
from launcher.runs.measured import measured_report
from launcher.runs.numbers import RunNumbers
from launcher.runs.process_identity import this_process
from launcher.runs.run_end import RunEnd
from launcher.runs.state import REHEARSED, RunState, read_state, write_state
from planner.run_plan import RunPlan

_OF_SUPERVISOR = ("plan", "memory", "warning", "recovery")
"""Types of events that are no sign of life of the worker."""


class RunRecord:
    """events.jsonl, state.json and measured.json of one run, from its supervisor's side.

    A full disk must not end a run that may still save its last checkpoint, so nothing here
    raises for one.
    """

    def __init__(self, folder: RunFolder, plan: RunPlan) -> None:
        self.folder = folder
        self.plan = plan
        self.gpu_uuid: str | None = None
        self.reserve = DiskReserve(folder.reserve)
        self.reserve.hold()
        self.worker_pid: int | None = None
        self.last_word: Event | None = None
        self.phase = "starting"
        self.numbers = RunNumbers()
        for event in read_events(folder.events):
            self.numbers.apply(event)
        before = read_state(folder)
        self.attempt = before.attempt if before else 0
        self.checkpoints_written = 0
        self._log = EventLog(folder.events)
        self._tail = EventTail(folder.events, offset=folder.events.stat().st_size)
        self._supervisor = this_process()
        self.beat()

    def tell(self, event_type: str, /, **fields: Any) -> None:
        """Append an event."""
        with suppress(OSError):
            self._log.append(event_type, **fields)

    def begin_attempt(self) -> None:
        """A worker is about to be started: tell with which plan."""
        self.attempt += 1
        self.last_word = None
        self.worker_pid = None
        self.tell("plan", **plan_facts(self.folder, self.plan, self.attempt))
        self.enter("starting")

    def amend(self, run_plan: RunPlan) -> None:
        """Put a changed plan in force, for this supervisor and for every later one.

        Raises OSError when the disk is full; the plan in force is then the one before.
        """
        from planner.plan_file import plan_file_text  # yaml: about 20 ms

        replace_text(self.folder.amended, plan_file_text(run_plan, {}))
        self.plan = run_plan

    def enter(self, phase: str) -> None:
        """Say that a new phase begins."""
        self.phase = phase
        self.tell("phase", phase=phase)
        self.beat()

    def catch_up(self) -> int:
        """Take in what was appended since the last time; return how much of it is the worker's."""
        from_worker = 0
        while events := self._tail.poll():
            for event in events:
                from_worker += event["type"] not in _OF_SUPERVISOR
                self.numbers.apply(event)
                if event["type"] == "phase":
                    self.phase = str(event.get("phase", self.phase))
                elif event["type"] in ("finished", "setback", "rehearsal"):
                    self.last_word = event
                elif event["type"] == "checkpoint":
                    self.checkpoints_written += 1
        return from_worker

    def beat(self) -> None:
        """Write state.json: still here."""
        with suppress(OSError):
            write_state(self.folder, self._state(None))

    def close(self, end: RunEnd) -> None:
        """Write the last event and measured.json."""
        self.reserve.spend()
        if end.reason is not None:
            self.tell("failed", code=end.code, reason=end.reason, hints=list(end.hints))
        report = measured_report(
            self.plan.hardware, self.numbers, gpu_uuid=self.gpu_uuid, exit_code=end.code
        )
        with suppress(OSError):
            replace_json(self.folder.measured, report)
        if not self.numbers.replanned:
            self._keep(report)

    def _keep(self, report: dict[str, Any]) -> None:
        """Keep what was measured for the next estimate."""
        folder = str(self.folder.path.absolute())
        if keep_measured(folder, iso_time(time.time()), self.plan, report) is False:
            text = f"the next estimate learns nothing of this run: {store_path()} cannot be written"
            self.tell("warning", message=text)

    def sign_off(self, end: RunEnd) -> None:
        """Write the state with the exit code: from now on the run is over for everybody."""
        self.worker_pid = None
        self.phase = "finished" if end.reason is None else "stopped"
        if end.rehearsed:
            self.phase = REHEARSED
        with suppress(OSError):
            write_state(self.folder, self._state(end))

    def _state(self, end: RunEnd | None) -> RunState:
        return RunState(
            phase=self.phase,
            step=self.numbers.step,
            total_steps=self.numbers.total_steps,
            supervisor_pid=self._supervisor.pid,
            supervisor_started=self._supervisor.started,
            worker_pid=self.worker_pid,
            heartbeat=iso_time(time.time()),
            exit_code=end.code if end else None,
            reason=end.reason if end else None,
            attempt=self.attempt,
            loss=self.numbers.loss_last,
            peak_bytes=self.numbers.peak_bytes(self.plan.hardware.device),
            host=self._supervisor.host,
        )


def plan_facts(folder: RunFolder, plan: RunPlan, attempt: int) -> dict[str, Any]:
    """The fields of the `plan` event: what screens and reports show of a plan."""
    hardware, method, training = plan.hardware, plan.method, plan.training
    return {
        "run": folder.name,
        "attempt": attempt,
        "model": plan.model.name,
        "method": method.name,
        "rank": method.rank,
        "weights": method.weights,
        "sequence_tokens": training.sequence_tokens,
        "micro_batch_rows": training.micro_batch_rows,
        "accumulation_steps": training.accumulation_steps,
        "device": hardware.device,
        "gpu": hardware.gpu,
        "available_bytes": hardware.available_bytes,
        "predicted_allocated_bytes": hardware.predicted_allocated_bytes,
        "predicted_peak_bytes": hardware.predicted_peak_bytes,
        "predicted_low_bytes": hardware.predicted_low_bytes,
        "predicted_high_bytes": hardware.predicted_high_bytes,
        "expected_step_seconds": plan.expected.step_seconds,
    }
