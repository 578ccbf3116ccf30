"""How long a plan will take, roughly: enough to decide whether rehearsing it is worth a minute."""

from __future__ import annotations

from pathlib import Path

from launcher.data.named import data_path
from launcher.errors import TlplanError
from launcher.models import resolve_model
from planner.run_plan import RunPlan

WORTH_REHEARSING_SECONDS = 600.0

_FLOP_PER_PARAMETER_AND_TOKEN = 6
"""Forward and backward of a dense model."""
_CPU_FLOP_PER_SECOND = 50e9
"""Of a few cores in fp32; only tells minutes from hours."""
_BYTES_A_TOKEN = 4


def is_worth_rehearsing(run_plan: RunPlan) -> bool:
    """Whether a plan takes longer than ten minutes, as far as anybody can tell; else False."""
    seconds = planned_seconds(run_plan)
    return seconds is not None and seconds > WORTH_REHEARSING_SECONDS


def planned_seconds(run_plan: RunPlan) -> float | None:
    """Seconds the plan expects, else of its arithmetic on a CPU; None if unknown."""
    if run_plan.expected.run_seconds is not None:
        return run_plan.expected.run_seconds
    if run_plan.hardware.device != "cpu":
        return None
    name = run_plan.model.folder or run_plan.model.hub_id or run_plan.model.name
    try:
        shape = resolve_model(name).shape
        data_bytes = _bytes_of(data_path(run_plan.data.train))
    except (TlplanError, OSError):
        return None
    training = run_plan.training
    in_step = training.micro_batch_rows * training.accumulation_steps
    tokens = data_bytes / _BYTES_A_TOKEN * training.epochs
    if training.max_steps is not None:
        tokens = min(tokens, training.max_steps * in_step * training.sequence_tokens)
    return float(_FLOP_PER_PARAMETER_AND_TOKEN * shape.parameters * tokens / _CPU_FLOP_PER_SECOND)


def _bytes_of(path: Path) -> int:
    """Of a file, or of all in a folder."""
    if not path.is_dir():
        return path.stat().st_size
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
