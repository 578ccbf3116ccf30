"""What looking after a run costs: the supervisor's share of a core, its memory, and its growth.

    python -m bench.supervisor [--seconds 20]

The worker is one that only tells steps, twenty a second; the supervisor is the real one. Then the
events of eight hours are replayed through what it keeps in memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

from launcher.runs.events import EventLog, EventTail
from launcher.runs.numbers import RunNumbers
from launcher.runs.starting import start_run
from launcher.runs.state import read_state
from tests.launcher.run_samples import fake_supervision, sample_run, wait_until

HOURS = 8
STEPS_PER_SECOND = 1
MEMORY_EVENTS_PER_SECOND = 2


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = _watched(Path(folder), options.seconds) | _soak(Path(folder))
    print(json.dumps(measured, indent=2))


def _watched(folder: Path, seconds: float) -> dict[str, float]:
    os.environ["FAKE_WORKER"] = json.dumps({"hold_after": 2})
    run = sample_run(folder / "runs" / "a-lora-01")
    start_run(run, settings=fake_supervision())
    wait_until((run.path / "holding").exists)
    state = read_state(run)
    assert state is not None
    before, started = _cpu_seconds(state.supervisor_pid), time.monotonic()
    events = EventLog(run.events)
    step = 2
    while (passed := time.monotonic() - started) < seconds:
        step += 1
        events.append("step", step=step, loss=1.0, step_seconds=0.05, tokens_per_second=100.0)
        time.sleep(0.05)
    used = _cpu_seconds(state.supervisor_pid) - before
    status = Path(f"/proc/{state.supervisor_pid}/status").read_text()
    (run.path / "go").touch()
    wait_until(lambda: not state.supervisor().alive())
    return {
        "supervisor_cores": round(used / passed, 4),
        "supervisor_peak_mb": round(int(status.split("VmHWM:")[1].split()[0]) / 1000, 1),
    }


def _soak(folder: Path) -> dict[str, float]:
    """Memory that eight hours of events leave behind in what a supervisor keeps."""
    path = folder / "soak.jsonl"
    log, tail, numbers = EventLog(path, started=0.0), EventTail(path), RunNumbers()
    grown = []
    for hour in range(HOURS):
        for second in range(3600):
            for _ in range(MEMORY_EVENTS_PER_SECOND):
                log.append("memory", host_bytes=10**9 + second, device_bytes=None)
            step = hour * 3600 + second
            log.append("step", step=step, loss=1.0, step_seconds=1.0, tokens_per_second=10.0)
        while events := tail.poll():
            for event in events:
                numbers.apply(event)
        grown.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return {"soak_hours": HOURS, "growth_kib_after_the_second_hour": grown[-1] - grown[1]}


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
