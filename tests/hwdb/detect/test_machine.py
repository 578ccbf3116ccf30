"""Behaviour of the machine as a whole, and the price of asking for it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fake_nvml import fake_driver_environment, machines, no_driver_environment, run_python

_MACHINE = """
import dataclasses, json
from hwdb.detect import read_machine
print(json.dumps(dataclasses.asdict(read_machine())))
"""


def test_a_machine_is_its_host_its_gpus_and_its_driver() -> None:
    """Everything comes in one value."""
    machine = run_python(_MACHINE, fake_driver_environment(machines.TWO_UNEQUAL_3090S))

    assert machine["host"]["total_bytes"] > 0
    assert [gpu["index"] for gpu in machine["gpus"]] == [0, 1]
    assert machine["driver_version"] == "575.64.03"
    assert machine["cuda_version"] == "12.9"
    assert machine["gpu_problem"] is None


def test_a_machine_without_a_gpu_is_a_normal_answer() -> None:
    """The host is read all the same, and the reason is a phrase."""
    machine: dict[str, Any] = run_python(_MACHINE, no_driver_environment())

    assert machine["host"]["total_bytes"] > 0
    assert machine["gpus"] == []
    assert machine["gpu_problem"] == "NVML library not found"


@pytest.mark.parametrize(
    ("question", "machine", "loaded"),
    [
        ("pass", machines.RTX_4090_DESKTOP, []),
        ("hwdb.detect.read_machine()", None, []),
        ("hwdb.detect.read_machine()", machines.RTX_4090_DESKTOP, ["pynvml"]),
    ],
    ids=["import", "no driver", "driver"],
)
def test_libraries_are_imported_only_where_they_are_needed(
    question: str, machine: str | None, loaded: list[str]
) -> None:
    """Importing costs no library, and reading costs pynvml only where a driver answers."""
    code = f"""
import json, sys
import hwdb.detect
{question}
print(json.dumps([name for name in ("pynvml", "psutil") if name in sys.modules]))
"""
    environment = fake_driver_environment(machine) if machine else no_driver_environment()

    assert run_python(code, environment) == loaded
