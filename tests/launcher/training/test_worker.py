"""The worker process: what it leaves behind when it is stopped, resumed or given nonsense."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from launcher.exit_codes import ExitCode
from launcher.runs.checkpoints import newest_verified
from launcher.runs.events import Event, EventTail, read_events
from planner.plan_file import plan_file_text
from planner.run_plan import RunPlan
from tests.launcher.training.plans import carry_out, make_plan, of_type

pytestmark = pytest.mark.training

DEADLINE_SECONDS = 120


def start_worker(run: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """The worker as a supervisor starts it."""
    with (run / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "launcher.training.worker", str(run), *arguments],
            stdout=log,
            stderr=log,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )


def write_plan(plan: RunPlan) -> Path:
    """The run folder of a plan, with its plan file."""
    run = Path(plan.output.folder)
    run.mkdir(parents=True)
    (run / "plan.yaml").write_text(plan_file_text(plan, {}))
    return run


def wait_for_step(run: Path, step: int, worker: subprocess.Popen[bytes]) -> None:
    """Wait until a step's event is written."""
    tail = EventTail(run / "events.jsonl")
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if any(event.get("step") == step for event in of_type(tail.poll(), "step")):
            return
        assert worker.poll() is None, (run / "log.txt").read_text()[-2000:]
        time.sleep(0.02)
    pytest.fail(f"step {step} did not come")


def losses(events: list[Event]) -> dict[int, float]:
    """Loss by step; of a step taken twice the later one."""
    return {event["step"]: event["loss"] for event in of_type(events, "step")}


def test_a_run_stopped_and_resumed_equals_one_that_never_was(
    tiny_model: Path, chats: Path, tmp_path: Path
) -> None:
    """SIGTERM saves after the running step; going on gives the same bits, dropout included."""
    settings: dict[str, Any] = {"max_steps": 10, "checkpoint_every_steps": 100, "seed": 3}
    whole = make_plan(model=tiny_model, data=chats, run=tmp_path / "whole", **settings)
    stopped = make_plan(model=tiny_model, data=chats, run=tmp_path / "stopped", **settings)
    run = write_plan(stopped)

    worker = start_worker(run)
    wait_for_step(run, 2, worker)
    worker.send_signal(signal.SIGTERM)
    status = worker.wait(DEADLINE_SECONDS)

    assert status == ExitCode.INTERRUPTED, (run / "log.txt").read_text()[-2000:]
    checkpoint, skipped = newest_verified(run)
    assert checkpoint is not None
    assert skipped == {}
    interrupted = list(read_events(run / "events.jsonl"))
    assert interrupted[-1]["phase"] == "interrupted"
    assert checkpoint.name == f"step-{max(losses(interrupted))}"
    assert not (run / "adapter").exists()

    resumed = carry_out(stopped, resume_from=checkpoint)
    uninterrupted = carry_out(whole)

    assert losses(resumed) == losses(uninterrupted)
    assert resumed[-1]["evaluation_before"] == uninterrupted[-1]["evaluation_before"]
    assert resumed[-1]["evaluation_after"] == uninterrupted[-1]["evaluation_after"]
    assert of_type(resumed, "step")[-1]["tokens"] == of_type(uninterrupted, "step")[-1]["tokens"]
    weights = "adapter/adapter_model.safetensors"
    assert (run / weights).read_bytes() == (tmp_path / "whole" / weights).read_bytes()

    finished = carry_out(stopped, resume_from=run / "checkpoints" / "step-10")[-1]

    assert finished["evaluation_after"] == uninterrupted[-1]["evaluation_after"]
    assert (run / weights).read_bytes() == (tmp_path / "whole" / weights).read_bytes()


def test_sigterm_while_loading_ends_at_once_and_resumable(
    tiny_model: Path, chats: Path, tmp_path: Path
) -> None:
    """Before the first step there is nothing to save, and the exit code is the same."""
    run = write_plan(make_plan(model=tiny_model, data=chats, run=tmp_path / "run"))
    worker = start_worker(run)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (run / "events.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.005)

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(DEADLINE_SECONDS) == ExitCode.INTERRUPTED
    assert newest_verified(run) == (None, {})


def test_a_plan_that_cannot_be_read_is_told_in_one_event(tmp_path: Path) -> None:
    """The exit code and the failed event name the line; the traceback is for the log alone."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "plan.yaml").write_text("plan_version: 1\nmodle:\n")

    status = start_worker(run).wait(DEADLINE_SECONDS)

    (failed,) = of_type(list(read_events(run / "events.jsonl")), "setback")
    assert status == failed["code"] == ExitCode.USAGE
    assert "plan.yaml" in failed["reason"]
    assert "Traceback" not in failed["reason"]
    assert "Traceback" in (run / "log.txt").read_text()
