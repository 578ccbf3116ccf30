"""measured.json: what was predicted, what was measured, and how far apart they are."""

from __future__ import annotations

import os
import platform
from typing import Any

from hwdb.detect import read_host
from launcher.runs.numbers import RunNumbers
from launcher.runs.versions import installed_versions
from planner.run_plan import HardwareSection


def measured_report(
    hardware: HardwareSection, numbers: RunNumbers, *, gpu_uuid: str | None, exit_code: int
) -> dict[str, Any]:
    """The content of measured.json. Fractions are (measured - predicted) / predicted."""
    peak_bytes = numbers.peak_bytes(hardware.device)
    allocated_bytes = numbers.peaks.get("allocated_bytes")
    low_bytes, high_bytes = hardware.predicted_low_bytes, hardware.predicted_high_bytes
    return {
        "schema_version": 1,
        "exit_code": exit_code,
        "steps": numbers.step,
        "predicted": {
            "allocated_bytes": hardware.predicted_allocated_bytes,
            "peak_bytes": hardware.predicted_peak_bytes,
            "low_bytes": low_bytes,
            "high_bytes": high_bytes,
        },
        "measured": {
            "allocated_bytes": allocated_bytes,
            "reserved_bytes": numbers.peaks.get("reserved_bytes"),
            "device_bytes": numbers.peaks.get("device_bytes"),
            "host_bytes": numbers.peaks.get("host_bytes"),
            "peak_bytes": peak_bytes,
            "step_seconds": numbers.usual_step_seconds(),
            "tokens_per_second": numbers.usual_tokens_per_second(),
            "loss_first": numbers.loss_first,
            "loss_last": numbers.loss_last,
            "evaluation_before": numbers.evaluation_before,
            "evaluation_after": numbers.evaluation_after,
        },
        "error": {
            "peak_fraction": error_fraction(peak_bytes, hardware.predicted_peak_bytes),
            "allocated_fraction": error_fraction(
                allocated_bytes, hardware.predicted_allocated_bytes
            ),
            "inside_interval": None
            if peak_bytes is None
            else low_bytes <= peak_bytes <= high_bytes,
        },
        "hardware": _hardware_facts(hardware, gpu_uuid),
        "versions": installed_versions(),
    }


def error_fraction(measured: int | None, predicted: int) -> float | None:
    """How far a measurement lies above (+) or below (-) its prediction, as a share of it."""
    if measured is None or predicted <= 0:
        return None
    return round((measured - predicted) / predicted, 4)


def _hardware_facts(hardware: HardwareSection, gpu_uuid: str | None) -> dict[str, Any]:
    host = read_host()
    return {
        "device": hardware.device,
        "gpu": hardware.gpu,
        "gpu_uuid": gpu_uuid,
        "available_bytes": hardware.available_bytes,
        "host_total_bytes": host.total_bytes,
        "cpu": host.cpu_name,
        "cpu_cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
    }
