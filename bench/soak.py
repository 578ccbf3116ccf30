"""Eight hours of a run, replayed as fast as they are taken in: whether what watches it grows.

    python -m bench.soak [--hours 8]

Once through a real supervisor, which is told the events of every hour and whose resident memory
is read behind each; once through the loop that looks at a worker, four times for each second as
on a card. What is held grows until the largest chunk of events has come, then no more: hours of
the second half are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from launcher.runs.events import EventLog
from launcher.runs.memory_watch import CARD_SECONDS, MemoryWatch
from launcher.runs.pressure import PressureWatch
from launcher.runs.pulse import PATIENCE_SECONDS, Pulse
from launcher.runs.starting import start_run
from launcher.runs.state import read_state
from tests.launcher.run_samples import fake_supervision, sample_run, wait_until

STEPS_PER_SECOND = 1
MEMORY_EVENTS_PER_SECOND = 2
_HOUR = 3600
_PATIENCE_SECONDS = 120.0


def main() -> None:
    """Replay and print one JSON document."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hours", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = told_to_a_supervisor(Path(folder), options.hours)
    print(json.dumps({"hours": options.hours} | told | looked_at(options.hours), indent=2))


def told_to_a_supervisor(folder: Path, hours: int) -> dict[str, Any]:
    """KiB that a supervisor holds after each hour of events, and how much it grew on the way."""
    os.environ["FAKE_WORKER"] = json.dumps({"hold_after": 2})
    run = sample_run(folder / "runs" / "a-lora-01")
    start_run(run, settings=fake_supervision())
    wait_until((run.path / "holding").exists, _PATIENCE_SECONDS)
    state = read_state(run)
    assert state is not None
    events, resident = EventLog(run.events), []
    for hour in range(hours):
        for second in range(hour * _HOUR, (hour + 1) * _HOUR):
            for _ in range(MEMORY_EVENTS_PER_SECOND):
                events.append("memory", host_bytes=10**9 + second, device_bytes=None)
            events.append("step", step=second + 3, loss=1.0, step_seconds=1.0)
        last = second + 3
        wait_until(lambda last=last: _step(run) == last, _PATIENCE_SECONDS)  # type: ignore[misc]
        resident.append(resident_kib(state.supervisor_pid))
    (run.path / "go").touch()
    wait_until(lambda: not state.supervisor().alive(), _PATIENCE_SECONDS)
    return {
        "supervisor_kib_by_hour": resident,
        "supervisor_growth_kib_in_the_second_half": resident[-1] - resident[(hours - 1) // 2],
    }


def looked_at(hours: int) -> dict[str, int]:
    """KiB that looking at a worker for hours leaves behind in the process that looks."""
    pid, at_half = os.getpid(), 0

    def tell(*_: object, **__: object) -> None:
        """Nobody listens."""

    with MemoryWatch(gpu_uuid=None, tell=tell) as memory:
        pulse = Pulse(Path(os.devnull), patience_seconds=PATIENCE_SECONDS, now=0.0)
        pressure = PressureWatch(tell=tell)
        looks = int(_HOUR / CARD_SECONDS)
        for look in range(hours * looks):
            now = look * CARD_SECONDS
            memory.sample(pid, now)
            pulse.look(pid, phase="loading weights", now=now)
            pressure.critical(memory.host)
            if look == hours * looks // 2:
                at_half = resident_kib(pid)
    return {"watch_growth_kib_in_the_second_half": resident_kib(pid) - at_half}


def resident_kib(pid: int) -> int:
    """What a process holds in memory now."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def _step(run: Any) -> int | None:
    state = read_state(run)
    return state.step if state else None


if __name__ == "__main__":
    main()
