"""What looking after a run costs: the supervisor's share of a core, its memory, and its growth.

    python -m bench.supervisor [--seconds 20] [--pairs 5] [--steps 200]

The worker is one that only tells steps, twenty a second; the supervisor is the real one. Then the
events of eight hours are replayed through what it keeps in memory. With --pairs a real worker
trains under the supervisor and alone, by turns, and the ratio of their median steps is told: that
asks for an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from launcher.runs.events import EventLog, EventTail, read_events
from launcher.runs.folder import RunFolder, create
from launcher.runs.numbers import RunNumbers
from launcher.runs.starting import start_run
from launcher.runs.state import read_state
from launcher.runs.worker_environment import worker_environment
from planner.plan_file import plan_file_text
from tests.faults.model import make_data, make_model
from tests.launcher.run_samples import ended_state, fake_supervision, sample_run, wait_until
from tests.launcher.training.plans import make_plan

HOURS = 8
STEPS_PER_SECOND = 1
MEMORY_EVENTS_PER_SECOND = 2
WARM_UP_STEPS = 10


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured: dict[str, Any] = _watched(Path(folder), options.seconds) | _soak(Path(folder))
        if options.pairs:
            measured |= _overhead(Path(folder), options.pairs, options.steps)
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


def _overhead(folder: Path, pairs: int, steps: int) -> dict[str, Any]:
    """Median step under the supervisor over that of the same worker alone, pair by pair."""
    model, data = make_model(folder / "model"), make_data(folder / "train.jsonl")

    def seconds(name: str, carry_out: Callable[[RunFolder], None]) -> float:
        path = folder / name
        packed = {"packing": True, "sequence_tokens": 256}
        plan = make_plan(
            model=model,
            data=data,
            run=path,
            max_steps=steps,
            checkpoint_every_steps=steps,
            **packed,
        )
        run = create(path, plan_file_text(plan, {}))
        carry_out(run)
        told = [each for each in read_events(run.events) if each["type"] == "step"]
        assert len(told) == steps, run.log.read_text()
        return statistics.median(each["step_seconds"] for each in told[WARM_UP_STEPS:])

    ratios = []
    for pair in range(pairs):
        # Whoever comes second may find the machine warmer: they take turns at that too.
        turns = [("supervised", _under_supervisor), ("alone", _alone)]
        found = {
            name: seconds(f"{name}-{pair}", carry_out)
            for name, carry_out in (turns if pair % 2 else reversed(turns))
        }
        ratios.append(found["supervised"] / found["alone"])
    return {
        "step_seconds": round(found["alone"], 4),
        "supervised_over_alone": round(statistics.median(ratios), 4),
        "supervised_over_alone_by_pair": [round(each, 4) for each in ratios],
    }


def _under_supervisor(run: RunFolder) -> None:
    start_run(run)
    assert ended_state(run, seconds=600).exit_code == 0, run.log.read_text()


def _alone(run: RunFolder) -> None:
    with run.log.open("ab") as log:
        subprocess.run(
            [sys.executable, "-P", "-m", "launcher.training.worker", str(run.path)],
            env=worker_environment(device="cpu", gpu_uuid=None),
            stdout=log,
            stderr=log,
            check=True,
        )


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
