"""Runs the survey of this machine's GPUs in a process that sees a fake driver, or none."""

from __future__ import annotations

from typing import Any

from tests.fake_nvml import fake_driver_environment, run_python

_SURVEY = """
import dataclasses, json
from hwdb.detect import read_gpus
print(json.dumps(dataclasses.asdict(read_gpus())))
"""


def survey_in(environment: dict[str, str]) -> Any:
    """What read_gpus() finds in `environment`, as plain JSON values."""
    return run_python(_SURVEY, environment)


def survey_of(machine_text: str, *, visible: str | None = None) -> Any:
    """What read_gpus() finds on a machine, with CUDA_VISIBLE_DEVICES when `visible` is given."""
    environment = fake_driver_environment(machine_text)
    if visible is not None:
        environment["CUDA_VISIBLE_DEVICES"] = visible
    return survey_in(environment)
