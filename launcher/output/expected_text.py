"""What a run will take, in two lines: hours, and bytes on disk."""

from __future__ import annotations

from planner.expected import Expectation
from planner.run_plan import RunPlan
from planner.units import duration_text, size_text

_LABEL = 6


def expected_lines(expectation: Expectation, run_plan: RunPlan) -> list[str]:
    """Time with its interval, and what is written."""
    return [
        f"{'Time':{_LABEL}}{_time(expectation)}",
        f"{'Disk':{_LABEL}}{_disk(expectation, run_plan)}",
    ]


def _time(expectation: Expectation) -> str:
    time = expectation.time
    steps = f"{expectation.steps} steps"
    if time is None:
        return f"unknown for this hardware; {steps}"
    run = time.on_card
    return (
        f"{duration_text(run.expected)} ({duration_text(run.low)} to {duration_text(run.high)}): "
        f"{steps} of {step_text(time.step.expected)}"
    )


def step_text(seconds: float) -> str:
    """Seconds of a step: "0.84 s", "22.9 s"."""
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"


def _disk(expectation: Expectation, run_plan: RunPlan) -> str:
    name = "model" if run_plan.method.name == "full" else "adapter"
    return f"{name} {size_text(expectation.result_bytes)}, {kept_text(expectation, run_plan)}"


def kept_text(expectation: Expectation, run_plan: RunPlan) -> str:
    """How many checkpoints stay: "2 checkpoints of 60 MB and the best kept"."""
    loop = run_plan.training
    best = " and the best" if loop.keep_best else ""
    size = size_text(expectation.checkpoint_bytes)
    return f"{loop.keep_checkpoints} checkpoints of {size}{best} kept"
