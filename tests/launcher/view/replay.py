"""Events of a run that never was, to be shown."""

from __future__ import annotations

from typing import Any

from launcher.view.progress import RunProgress

GIB = 1024**3


def progress_of(*events: dict[str, Any]) -> RunProgress:
    """The run that had these events."""
    progress = RunProgress()
    for event in events:
        progress.apply(event)
    return progress


def plan_event(**changed: Any) -> dict[str, Any]:
    """A LoRA on the CPU that was predicted to need 2.0 to 2.8 GiB."""
    return {
        "type": "plan",
        "attempt": 1,
        "model": "smollm2-135m-instruct",
        "method": "lora",
        "rank": 16,
        "device": "cpu",
        "gpu": None,
        "available_bytes": 8 * GIB,
        "predicted_allocated_bytes": GIB,
        "predicted_peak_bytes": int(2.4 * GIB),
        "predicted_low_bytes": 2 * GIB,
        "predicted_high_bytes": int(2.8 * GIB),
    } | changed


def step_event(step: int, *, total: int, loss: float = 1.0, seconds: float = 2.0) -> dict[str, Any]:
    """A step that took `seconds`, as long as all before it."""
    return {
        "type": "step",
        "at": "2026-11-21T10:00:00.000Z",
        "seconds": step * seconds,
        "step": step,
        "total_steps": total,
        "loss": loss,
        "grad_norm": 0.7,
        "learning_rate": 1e-4,
        "tokens": 100 * step,
        "tokens_per_second": 3180.0,
        "epoch": step / total,
        "step_seconds": seconds,
    }


def memory_event(gib: float) -> dict[str, Any]:
    """The worker uses that much of the host."""
    return {"type": "memory", "host_bytes": int(gib * GIB), "host_peak_bytes": int(gib * GIB)}


def whole_run(steps: int = 60, seconds: float = 2.0) -> list[dict[str, Any]]:
    """A run from its plan to its end."""
    return [
        plan_event(),
        {"type": "phase", "phase": "loading weights", "seconds": 1.0},
        {"type": "evaluation", "when": "before", "step": 0, "loss": 4.49, "seconds": 1.5},
        {"type": "answer", "when": "before", "prompt": "Where?", "answer": "I do not know. " * 30},
        {"type": "phase", "phase": "training", "seconds": 1.6},
        memory_event(2.31),
        *[
            step_event(each, total=steps, loss=4 / each, seconds=seconds)
            for each in range(1, steps + 1)
        ],
        {"type": "checkpoint", "step": steps, "bytes": 18_000_000},
        {"type": "evaluation", "when": "after", "step": steps, "loss": 0.04},
        {
            "type": "answer",
            "when": "after",
            "prompt": "Where?",
            "answer": "queue=billing",
            "expected": "queue=sales",
        },
        {
            "type": "finished",
            "steps": steps,
            "loss_first": 4.0,
            "loss_last": 4 / steps,
            "evaluation_before": 4.49,
            "evaluation_after": 0.04,
            "result": "adapter",
        },
    ]
