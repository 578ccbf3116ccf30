"""What looking after a run costs: the supervisor's share of a core, its memory, the steps' time.

    python -m bench.supervisor [--seconds 20] [--pairs 60] [--window 2]

The worker is one that only tells steps, twenty a second; the supervisor is the real one. With
--pairs a real worker then trains, and its supervisor runs and is stopped by turns: the ratio of
the mean steps of neighbouring windows is told. That asks for an otherwise idle machine. Growth
over hours is the matter of `bench.soak`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from launcher.runs.events import EventLog, EventTail
from launcher.runs.folder import create
from launcher.runs.starting import start_run
from launcher.runs.state import read_state
from planner.plan_file import plan_file_text
from tests.faults.model import make_data, make_model
from tests.launcher.run_samples import ended_state, fake_supervision, sample_run, wait_until
from tests.launcher.training.plans import make_plan

WARM_UP_STEPS = 10


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--window", type=float, default=2.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured: dict[str, Any] = _watched(Path(folder), options.seconds)
        if options.pairs:
            measured |= _overhead(Path(folder), options.pairs, options.window)
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


def _overhead(folder: Path, pairs: int, window_seconds: float) -> dict[str, Any]:
    """Mean step with the supervisor over that without it, window by window of one training.

    One and the same worker trains on. By turns its supervisor runs and is stopped (SIGSTOP), so
    nothing else differs between the two; what it then has to catch up with counts as its own.
    """
    model, data = make_model(folder / "model"), make_data(folder / "train.jsonl")
    plan = make_plan(
        model=model,
        data=data,
        run=folder / "run",
        packing=True,
        sequence_tokens=256,
        epochs=1e6,
        max_steps=10**7,
        checkpoint_every_steps=10**7,
    )
    run = create(folder / "run", plan_file_text(plan, {}))
    supervisor = start_run(run)
    tail = EventTail(run.events)
    _steps_within(tail, window_seconds, at_least=WARM_UP_STEPS)
    ratios = []
    for pair in range(pairs):
        means = {}
        # Whoever comes second may find the machine warmer: they take turns at that too.
        for supervised in (True, False) if pair % 2 else (False, True):
            os.kill(supervisor, signal.SIGCONT if supervised else signal.SIGSTOP)
            steps = _steps_within(tail, window_seconds)
            means[supervised] = statistics.mean(steps)
        ratios.append(means[True] / means[False])
    os.kill(supervisor, signal.SIGCONT)
    os.kill(supervisor, signal.SIGTERM)
    assert ended_state(run, seconds=60).exit_code == 75, run.log.read_text()
    low, high = _interval_of_median(ratios)
    return {
        "step_seconds": round(means[False], 4),
        "pairs": pairs,
        "supervised_over_alone": round(statistics.median(ratios), 4),
        "supervised_over_alone_95_percent": [round(low, 4), round(high, 4)],
    }


def _steps_within(tail: EventTail, seconds: float, *, at_least: int = 3) -> list[float]:
    """Seconds of the whole steps that the worker tells from now on; the first was cut in two."""
    tail.poll()
    found: list[float] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline or len(found) <= at_least:
        time.sleep(0.05)
        events = tail.poll()
        assert not any(each["type"] == "finished" for each in events), "the training ended"
        found += [each["step_seconds"] for each in events if each["type"] == "step"]
    return found[1:]


def _interval_of_median(values: list[float]) -> tuple[float, float]:
    """95 % by the ranks that a binomial puts around the middle; assumes no distribution."""
    ordered, count = sorted(values), len(values)
    outside, rank = 0.5**count, 0
    while rank < count // 2 and outside + math.comb(count, rank + 1) * 0.5**count <= 0.025:
        rank += 1
        outside += math.comb(count, rank) * 0.5**count
    return ordered[rank], ordered[count - 1 - rank]


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
