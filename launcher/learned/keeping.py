"""Keep what a finished run measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from launcher.learned.stack import stack_text
from launcher.learned.store import FinishedRun, Kind, keep_run, store_path
from planner.memory.correction import Measured
from planner.run_plan import RunPlan
from planner.speed.correction import TimedRun


def keep_measured(
    folder: str, finished: str, plan: RunPlan, report: Mapping[str, Any]
) -> bool | None:
    """Keep a run that went to its end as planned; None when there is nothing to learn from it.

    False when it could not be written.
    `report` is the content of its measured.json.
    """
    measured, hardware = report["measured"], plan.hardware
    peak_bytes = measured["peak_bytes"]
    machine = hardware.gpu if hardware.device == "cuda" else report["hardware"]["cpu"]
    if report["exit_code"] != 0 or peak_bytes is None or machine is None:
        return None
    expected = plan.expected
    run = FinishedRun(
        folder=folder,
        finished=finished,
        model=plan.model.name,
        kind=Kind(
            device=hardware.device, machine=machine, stack=stack_text(), method=plan.method.name
        ),
        measured=Measured(
            estimated_bytes=expected.uncorrected_peak_bytes or hardware.predicted_peak_bytes,
            measured_bytes=peak_bytes,
            estimated_allocated_bytes=(
                expected.uncorrected_allocated_bytes or hardware.predicted_allocated_bytes
            ),
            measured_allocated_bytes=measured["allocated_bytes"],
        ),
        report=json.dumps(report),
        timed=_timed(plan, measured.get("step_seconds")),
    )
    return keep_run(run, store_path())


def _timed(plan: RunPlan, measured_seconds: float | None) -> TimedRun | None:
    estimated = plan.expected.uncorrected_step_seconds or plan.expected.step_seconds
    if not estimated or not measured_seconds:
        return None
    return TimedRun(estimated, measured_seconds)
