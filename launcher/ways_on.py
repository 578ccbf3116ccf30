"""What would fit after a run: the changes it can go on with, corrected by its own peak."""

from __future__ import annotations

from launcher.errors import TlplanError
from launcher.models import resolve_model
from planner.retries import Retry, retries_in_memory, room_to_grow
from planner.run_plan import RunPlan
from planner.shape import ModelShape


def ways_on(
    run_plan: RunPlan, *, capacity_bytes: int | None, peak_bytes: int | None
) -> tuple[Retry, ...]:
    """Changes with which a run that ran out of memory would fit, corrected by its own peak.

    Empty when nothing is known of the memory or of the model.
    """
    shape = _shape(run_plan)
    if shape is None or capacity_bytes is None:
        return ()
    return retries_in_memory(
        run_plan,
        shape,
        capacity_bytes=capacity_bytes,
        correction=max(1.0, _correction(run_plan, peak_bytes)),
    )


def more_rows(
    run_plan: RunPlan, *, capacity_bytes: int | None, peak_bytes: int | None
) -> int | None:
    """Rows at once that a finished run could have had, None when no more than it did."""
    shape = _shape(run_plan)
    if shape is None or capacity_bytes is None or peak_bytes is None:
        return None
    correction = _correction(run_plan, peak_bytes)
    return room_to_grow(run_plan, shape, capacity_bytes=capacity_bytes, correction=correction)


def _correction(run_plan: RunPlan, peak_bytes: int | None) -> float:
    predicted_bytes = run_plan.hardware.predicted_peak_bytes
    return peak_bytes / predicted_bytes if peak_bytes and predicted_bytes > 0 else 1.0


def _shape(run_plan: RunPlan) -> ModelShape | None:
    model = run_plan.model
    try:
        return resolve_model(model.folder or model.hub_id or model.name).shape
    except TlplanError:
        return None
