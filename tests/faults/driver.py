"""A driver that loses its card, goes away or does not answer: the real pynvml over a scripted one.

No card is here to train on, so the worker is the one that only tells steps; the supervisor and
all it does are real.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

from launcher.runs.process_identity import start_of
from launcher.runs.state import RunState, read_state
from tests.fake_nvml import change_machine, fake_driver_environment, machines, with_lines
from tests.faults.kinds import kind
from tests.faults.laboratory import ROOT, Laboratory
from tests.launcher.run_samples import FAKE_WORKER, sample_run, wait_until


def run_on_card(laboratory: Laboratory, *lines: str) -> tuple[Path, RunState]:
    """A run whose driver answers otherwise behind its second step; its folder and its end."""
    laboratory.count += 1
    folder = sample_run(laboratory.folder / f"card-{laboratory.count:03d}" / "run")
    folder.plan.write_text(folder.plan.read_text().replace("device: cpu", "device: cuda"))
    environment = fake_driver_environment(machines.RTX_4090_DESKTOP) | {
        "FAKE_WORKER": json.dumps({"hold_after": 2}),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "launcher.runs.supervisor", str(folder.path)]
    command += ["--grace", "1", "--worker", " ".join(FAKE_WORKER)]
    supervisor = subprocess.Popen(command, env=environment)
    wait_until((folder.path / "holding").exists, seconds=60)
    change_machine(environment, with_lines(machines.RTX_4090_DESKTOP, *lines))
    answered = folder.events.stat().st_size
    wait_until(lambda: folder.events.stat().st_size > answered + 500 or supervisor.poll())
    if not any(line.startswith(("gpu.0.error=", "init.")) for line in lines):
        (folder.path / "go").touch()
    supervisor.wait(timeout=60)
    assert start_of(supervisor.pid) is None
    state = read_state(folder)
    assert state is not None
    return folder.path, state


@kind("NVML: the card is lost in the middle of a run", "exit 5 that names the card's end")
def lost(laboratory: Laboratory, draw: random.Random) -> None:
    error = draw.choice([15, 16])

    folder, state = run_on_card(laboratory, f"gpu.0.error={error}")

    story = (folder / "events.jsonl").read_text()
    assert state.exit_code == 5, story
    assert "the GPU of this run is gone: " in str(state.reason), story


@kind("NVML: a reading is not supported", "goes on, exit 0")
def not_supported(laboratory: Laboratory, draw: random.Random) -> None:
    calls = (
        *("nvmlDeviceGetPowerUsage", "nvmlDeviceGetUtilizationRates"),
        *("nvmlDeviceGetTemperature", "nvmlDeviceGetComputeRunningProcesses_v3"),
        "nvmlDeviceGetMemoryInfo_v2",
    )
    lines = [f"error.{call}={draw.choice([3, 13])}" for call in calls if draw.random() < 0.6]

    folder, state = run_on_card(laboratory, *lines)

    assert state.exit_code == 0, (folder / "events.jsonl").read_text()
