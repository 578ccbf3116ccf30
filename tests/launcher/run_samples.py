"""A plan, run folders and patience that the tests of runs, views and commands share."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from launcher.runs.folder import RunFolder, create
from launcher.runs.state import RunState, read_state
from launcher.runs.supervisor import Supervision
from planner.plan_file import plan_file_text
from planner.run_plan import (
    DataSection,
    HardwareSection,
    MethodSection,
    ModelSection,
    OutputSection,
    RunPlan,
    TrainingSection,
)

GIB = 1024**3
FAKE_WORKER = (sys.executable, str(Path(__file__).with_name("fake_worker.py")))


def sample_plan(folder: Path) -> RunPlan:
    """A LoRA of a small model on the CPU."""
    data = folder.parent / "train.jsonl"
    folder.parent.mkdir(parents=True, exist_ok=True)
    data.write_text('{"prompt": "Where?", "completion": "queue=billing"}\n')
    return RunPlan(
        model=ModelSection(
            name="smollm2-135m-instruct", hub_id=None, revision=None, folder="/models/smollm2"
        ),
        data=DataSection(train=str(data), held_out_fraction=0.1, loss_on="answers"),
        method=MethodSection(
            name="lora",
            weights="fp32",
            autocast=None,
            adapter="lora",
            rank=16,
            alpha=32,
            dropout=0.0,
            targets=("all-linear",),
            adapter_dtype="fp32",
        ),
        training=_training(),
        hardware=HardwareSection(
            device="cpu",
            gpu=None,
            gpu_uuid=None,
            available_bytes=8 * GIB,
            predicted_allocated_bytes=GIB,
            predicted_peak_bytes=2 * GIB,
            predicted_low_bytes=GIB,
            predicted_high_bytes=3 * GIB,
        ),
        output=OutputSection(folder=str(folder)),
    )


def _training() -> TrainingSection:
    return TrainingSection(
        task="causal-lm",
        sequence_tokens=256,
        micro_batch_rows=4,
        accumulation_steps=1,
        epochs=1.0,
        max_steps=None,
        learning_rate=2e-4,
        schedule="linear",
        warmup_fraction=0.03,
        optimizer="adamw",
        checkpointing="none",
        attention="sdpa",
        loss="chunked",
        packing=False,
        checkpoint_every_steps=2,
        evaluate_every_steps=0,
        keep_checkpoints=2,
        seed=42,
    )


def plan_text(plan: RunPlan) -> str:
    """The plan as a file."""
    return plan_file_text(plan, {})


def sample_run(path: Path) -> RunFolder:
    """A run folder with a plan, not started."""
    return create(path, plan_text(sample_plan(path)))


def fake_supervision(grace_seconds: float = 30.0, patience_seconds: float = 600.0) -> Supervision:
    """A run whose worker is the fake one."""
    return Supervision(
        worker_command=FAKE_WORKER, grace_seconds=grace_seconds, patience_seconds=patience_seconds
    )


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Poll until `condition` holds; fails when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def ended_state(folder: RunFolder, seconds: float = 20.0) -> RunState:
    """The state of a run once it has ended."""

    def ended() -> bool:
        state = read_state(folder)
        return state is not None and state.exit_code is not None

    wait_until(ended, seconds)
    state = read_state(folder)
    assert state is not None
    return state


def sample_state(exit_code: int | None = None) -> RunState:
    """A state as a supervisor of another time wrote it."""
    return replace(
        RunState(
            phase="training",
            step=3,
            total_steps=5,
            supervisor_pid=1,
            supervisor_started="long ago",
            worker_pid=None,
            heartbeat="2026-11-21T10:00:00.000Z",
            exit_code=None,
            reason=None,
            attempt=1,
            loss=1.5,
            peak_bytes=2 * GIB,
        ),
        exit_code=exit_code,
    )
