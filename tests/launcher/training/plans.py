"""Plans and data for tests of the worker: small, on the CPU, in fp32."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from launcher.runs.events import Event, EventLog, read_events
from launcher.training.stopping import StopRequest
from planner.run_plan import (
    DataSection,
    HardwareSection,
    MethodSection,
    ModelSection,
    OutputSection,
    RunPlan,
    TrainingSection,
)

FULL = MethodSection(
    name="full",
    weights="fp32",
    autocast=None,
    adapter=None,
    rank=None,
    alpha=None,
    dropout=None,
    targets=None,
    adapter_dtype=None,
)
LORA = MethodSection(
    name="lora",
    weights="fp32",
    autocast=None,
    adapter="lora",
    rank=8,
    alpha=16,
    dropout=0.05,
    targets=("all-linear",),
    adapter_dtype="fp32",
)
QLORA = replace(LORA, name="qlora", weights="nf4-dq", dropout=0.0)

ROWS = tuple(
    {"question": f"Ticket {number}: the {item} is broken.", "answer": f"QUEUE=hardware | {item}"}
    for number, item in enumerate(["printer", "laptop", "router", "webcam"] * 6)
)


def chat_row(row: dict[str, str]) -> dict[str, Any]:
    """A row as a conversation."""
    return {
        "messages": [
            {"role": "user", "content": row["question"]},
            {"role": "assistant", "content": row["answer"]},
        ]
    }


def completion_row(row: dict[str, str]) -> dict[str, Any]:
    """A row as prompt and completion."""
    return {"prompt": row["question"] + "\n", "completion": row["answer"]}


def text_row(row: dict[str, str]) -> dict[str, Any]:
    """A row as one text."""
    return {"text": f"{row['question']}\n{row['answer']}"}


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write a JSON Lines file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def make_plan(
    *,
    model: Path,
    data: Path,
    run: Path,
    method: MethodSection = LORA,
    loss_on: Any = "answers",
    **training: Any,
) -> RunPlan:
    """A plan of 6 steps; `training` overrides single keys of that section."""
    defaults = TrainingSection(
        task="causal-lm",
        sequence_tokens=128,
        micro_batch_rows=4,
        accumulation_steps=1,
        epochs=100.0,
        max_steps=6,
        learning_rate=2e-3,
        schedule="cosine",
        warmup_fraction=0.1,
        optimizer="adamw",
        checkpointing="none",
        attention="sdpa",
        loss="chunked",
        packing=False,
        checkpoint_every_steps=4,
        evaluate_every_steps=0,
        keep_checkpoints=2,
        seed=7,
    )
    return RunPlan(
        model=ModelSection(name="smollm2", hub_id=None, revision=None, folder=str(model)),
        data=DataSection(train=str(data), held_out_fraction=0.1, loss_on=loss_on),
        method=method,
        training=replace(defaults, **training),
        hardware=HardwareSection(
            device="cpu",
            gpu=None,
            gpu_uuid=None,
            available_bytes=None,
            predicted_allocated_bytes=0,
            predicted_peak_bytes=0,
            predicted_low_bytes=0,
            predicted_high_bytes=0,
        ),
        output=OutputSection(folder=str(run)),
    )


def carry_out(
    plan: RunPlan, resume_from: Path | None = None, stop: StopRequest | None = None
) -> list[Event]:
    """Train in this very process, in the plan's own folder, and return the run's events."""
    from launcher.training.environment import prepare_environment, set_up_libraries

    prepare_environment(plan)
    set_up_libraries(plan)
    from launcher.training.run import train

    run = Path(plan.output.folder)
    run.mkdir(parents=True, exist_ok=True)
    events = EventLog(run / "events.jsonl")
    try:
        train(plan, run, events=events, stop=stop or StopRequest(), resume_from=resume_from)
    finally:
        events.close()
    return list(read_events(run / "events.jsonl"))


def of_type(events: list[Event], event_type: str) -> list[Event]:
    """The events of one type, in order."""
    return [event for event in events if event["type"] == event_type]
