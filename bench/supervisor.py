"""What looking after a run costs: the supervisor's share of a core, its memory, the steps' time.

    python -m bench.supervisor [--seconds 20] [--pairs 60] [--window 2] [--threads N] [--nobody]

First a worker that only tells steps, twenty a second, under the real supervisor. Then a real
training on every core: its supervisor runs and is stopped by turns, and what is told is how much
longer a step takes with it than without, with a 95 % interval. That asks for an otherwise idle
machine; --nobody keeps the supervisor stopped in both halves of every pair, so that the ratio
shows how far the machine itself is from 1. What does not depend on how fast the machine just is:
for how much of the time the kernel kept a thread of the training waiting for a core, with the
supervisor and without. --threads 1 leaves other cores free, as a training on a card does. Growth
over hours is the matter of `bench.soak`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import signal
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from launcher.runs.events import EventLog, EventTail
from launcher.runs.folder import RunFolder, create
from launcher.runs.starting import start_run
from launcher.runs.state import read_state
from planner.plan_file import plan_file_text
from tests.faults.model import make_model
from tests.launcher.run_samples import ended_state, fake_supervision, sample_run, wait_until
from tests.launcher.training.plans import make_plan, write_rows

WARM_UP_SECONDS = 10.0
LONGEST_STEP = 1.5
"""Of the usual step. What takes longer met another process, and counts as that long: the
supervisor's own looks take a millisecond or two. How many those are is told for both halves."""
RESAMPLES = 4000
SEED = 2026


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What a training did for a few seconds."""

    step_seconds: tuple[float, ...]
    """Of each step that ended in it."""
    seconds: float
    worker_seconds: float
    """Processor time of the worker."""
    worker_waiting_seconds: float
    """For how long its threads could have run and had no core."""
    supervisor_seconds: float
    """Processor time of its supervisor."""


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--pairs", type=int, default=60, help="an even number")
    parser.add_argument("--window", type=float, default=2.0)
    parser.add_argument("--threads", type=int, help="of the training; one a core without it")
    parser.add_argument("--nobody", action="store_true")
    options = parser.parse_args()
    if options.threads:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        measured: dict[str, Any] = _watched(Path(folder), options.seconds)
        if options.pairs:
            pairs = _trained(Path(folder), options.pairs, options.window, nobody=options.nobody)
            measured |= overhead(pairs)
    print(json.dumps(measured, indent=2))


def _watched(folder: Path, seconds: float) -> dict[str, float]:
    os.environ["FAKE_WORKER"] = json.dumps({"hold_after": 2})
    run = sample_run(folder / "runs" / "a-lora-01")
    start_run(run, settings=fake_supervision())
    wait_until((run.path / "holding").exists)
    state = read_state(run)
    assert state is not None
    before, started = _scheduled(state.supervisor_pid), time.monotonic()
    events = EventLog(run.events)
    step = 2
    while (passed := time.monotonic() - started) < seconds:
        step += 1
        events.append("step", step=step, loss=1.0, step_seconds=0.05, tokens_per_second=100.0)
        time.sleep(0.05)
    used = _scheduled(state.supervisor_pid).ran - before.ran
    status = Path(f"/proc/{state.supervisor_pid}/status").read_text()
    (run.path / "go").touch()
    wait_until(lambda: not state.supervisor().alive())
    return {
        "supervisor_cores": round(used / passed, 4),
        "supervisor_peak_mb": round(int(status.split("VmHWM:")[1].split()[0]) / 1000, 1),
    }


def _trained(
    folder: Path, pairs: int, window_seconds: float, *, nobody: bool
) -> list[tuple[Window, Window]]:
    """Pairs of windows of one training: looked after, and alone.

    One and the same worker trains on. By turns its supervisor runs and is stopped (SIGSTOP), so
    nothing else differs; what it then has to catch up with counts as its own. Which of the two
    comes first is drawn for every second pair and the other way round in the next, so that a
    machine that gets busier or warmer favours neither. A step belongs to the window it ends in.
    """
    run = _endless_run(folder)
    supervisor = start_run(run)
    tail = EventTail(run.events)
    _window(run, tail, WARM_UP_SECONDS, at_least=20)
    order = random.Random(SEED)
    found = []
    first = True
    for pair in range(pairs):
        windows = {}
        first = not first if pair % 2 else order.random() < 0.5
        for supervised in (first, not first):
            runs = supervised and not nobody
            os.kill(supervisor, signal.SIGCONT if runs else signal.SIGSTOP)
            windows[supervised] = _window(run, tail, window_seconds)
        found.append((windows[True], windows[False]))
    os.kill(supervisor, signal.SIGCONT)
    os.kill(supervisor, signal.SIGTERM)
    assert ended_state(run, seconds=60).exit_code == 75, run.log.read_text()
    return found


def _endless_run(folder: Path) -> RunFolder:
    """Steps of some 50 milliseconds that all do the same work."""
    rows = [
        {"prompt": f"ticket {number:05}: ", "completion": "queue " + "ab" * 50}
        for number in range(2000)
    ]
    plan = make_plan(
        model=make_model(folder / "model"),
        data=write_rows(folder / "train.jsonl", rows),
        run=folder / "run",
        epochs=1e6,
        max_steps=10**7,
        micro_batch_rows=8,
        checkpoint_every_steps=10**7,
    )
    return create(folder / "run", plan_file_text(plan, {}))


def _window(run: RunFolder, tail: EventTail, seconds: float, *, at_least: int = 3) -> Window:
    state = read_state(run)
    worker, supervisor = (state.worker_pid, state.supervisor_pid) if state else (None, 0)
    before = _scheduled(worker), _scheduled(supervisor)
    steps: list[float] = []
    began = time.monotonic()
    deadline = began + seconds
    while time.monotonic() < deadline or len(steps) < at_least:
        time.sleep(max(0.05, deadline - time.monotonic()))
        events = tail.poll()
        assert not any(each["type"] == "finished" for each in events), "the training ended"
        steps += [each["step_seconds"] for each in events if each["type"] == "step"]
    after = _scheduled(worker), _scheduled(supervisor)
    return Window(
        step_seconds=tuple(steps),
        seconds=time.monotonic() - began,
        worker_seconds=after[0].ran - before[0].ran,
        worker_waiting_seconds=after[0].waited - before[0].waited,
        supervisor_seconds=after[1].ran - before[1].ran,
    )


def overhead(pairs: list[tuple[Window, Window]]) -> dict[str, Any]:
    """How much longer steps take in the first window of each pair than in the second."""
    every = [each for pair in pairs for window in pair for each in window.step_seconds]
    longest = LONGEST_STEP * statistics.median(every)

    def usual(window: Window) -> float:
        return statistics.mean(min(each, longest) for each in window.step_seconds)

    def cut_percent(windows: list[Window]) -> float:
        steps = [each for window in windows for each in window.step_seconds]
        return round(100 * sum(each > longest for each in steps) / len(steps), 2)

    def waiting_percent(windows: list[Window]) -> float:
        shares = [each.worker_waiting_seconds / each.seconds for each in windows]
        return round(100 * statistics.mean(shares), 3)

    def worker_seconds(window: Window) -> float:
        return window.worker_seconds / len(window.step_seconds)

    supervised, alone = (list(each) for each in zip(*pairs, strict=True))
    wall = _by_twos([math.log(usual(one) / usual(other)) for one, other in pairs])
    work = _by_twos([math.log(worker_seconds(one) / worker_seconds(other)) for one, other in pairs])
    return {
        "pairs": len(pairs),
        "usual_step_seconds": round(statistics.median(every), 5),
        "supervised_over_alone": round(math.exp(_middle(wall)), 4),
        "supervised_over_alone_95_percent": _interval(wall),
        "worker_processor_seconds_over_alone": round(math.exp(_middle(work)), 4),
        "worker_processor_seconds_over_alone_95_percent": _interval(work),
        "supervisor_processor_seconds_a_window": round(
            statistics.mean(each.supervisor_seconds for each in supervised), 5
        ),
        "worker_kept_waiting_percent": {
            "supervised": waiting_percent(supervised),
            "alone": waiting_percent(alone),
        },
        "steps_cut_percent": {"supervised": cut_percent(supervised), "alone": cut_percent(alone)},
    }


def _by_twos(values: list[float]) -> list[float]:
    """Of every pair and the one behind it, which came the other way round, the mean."""
    return [statistics.mean(two) for two in zip(values[::2], values[1::2], strict=False)]


def _middle(values: list[float]) -> float:
    """The mean without the lowest and the highest fifth."""
    ordered, fifth = sorted(values), len(values) // 5
    return statistics.mean(ordered[fifth : len(ordered) - fifth])


def _interval(logarithms: list[float]) -> list[float]:
    """95 % of what the middle might be, by drawing again and again."""
    draws = random.Random(SEED)
    middles = sorted(
        _middle(draws.choices(logarithms, k=len(logarithms))) for _ in range(RESAMPLES)
    )
    edge = RESAMPLES // 40
    return [round(math.exp(middles[edge]), 4), round(math.exp(middles[-1 - edge]), 4)]


class Scheduled(NamedTuple):
    """Seconds of all threads together; those that ended meanwhile are not counted."""

    ran: float
    waited: float
    """For a core."""


def _scheduled(pid: int | None) -> Scheduled:
    """To the nanosecond, as the kernel counts it."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat") if pid else ()
    both = [[int(word) / 1e9 for word in each.read_text().split()[:2]] for each in threads]
    return Scheduled(ran=sum(ran for ran, _ in both), waited=sum(waited for _, waited in both))


if __name__ == "__main__":
    main()
