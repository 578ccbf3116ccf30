"""Behaviour of the survey of all GPUs, through the real pynvml on a fake driver."""

from __future__ import annotations

import pytest

from tests.fake_nvml import machines, no_driver_environment, with_lines
from tests.fake_nvml.machines import MIB
from tests.hwdb.detect.survey import survey_in, survey_of


def test_every_field_of_a_card_is_read() -> None:
    """A healthy card answers every question, each in its documented unit."""
    survey = survey_of(machines.RTX_4090_DESKTOP)

    assert survey == {
        "gpus": [
            {
                "index": 0,
                "uuid": "GPU-40900000-1111-2222-3333-444444444444",
                "name": "NVIDIA GeForce RTX 4090",
                "bus_id": "00000000:01:00.0",
                "total_bytes": 24564 * MIB,
                "free_bytes": (24564 - 426 - 484) * MIB,
                "used_bytes": 484 * MIB,
                "driver_reserved_bytes": 426 * MIB,
                "compute_capability": [8, 9],
                "mig_parent_index": None,
                "utilization_percent": 3,
                "temperature_celsius": 41,
                "power_watts": 27.5,
                "power_limit_watts": 450.0,
                "processes": [
                    {"pid": 1201, "name": "Xorg", "used_bytes": 214 * MIB},
                    {"pid": 2710, "name": "firefox", "used_bytes": 152 * MIB},
                    {"pid": 1502, "name": "gnome-shell", "used_bytes": 118 * MIB},
                ],
            }
        ],
        "driver_version": "580.95.05",
        "cuda_version": "13.0",
        "problem": None,
    }


def test_a_driver_without_memory_version_2_is_read_by_version_1() -> None:
    """Version 1 counts the driver's reserve as used, and the reserve itself is unknown."""
    survey = survey_of(machines.OLD_DRIVER)

    [gpu] = survey["gpus"]
    assert survey["cuda_version"] == "11.0"
    assert gpu["total_bytes"] == 11178 * MIB
    assert gpu["used_bytes"] == (320 + 180) * MIB
    assert gpu["free_bytes"] == (11178 - 320 - 180) * MIB
    assert gpu["driver_reserved_bytes"] is None
    assert [process["pid"] for process in gpu["processes"]] == [5000901]


@pytest.mark.parametrize("code", [2, 3, 13, 25])
def test_any_refusal_of_memory_version_2_falls_back(code: int) -> None:
    """Drivers refuse the newer call in several ways; each leads to the older one."""
    refused = f"error.nvmlDeviceGetMemoryInfo_v2={code}"

    [gpu] = survey_of(with_lines(machines.RTX_4090_DESKTOP, refused))["gpus"]

    assert gpu["used_bytes"] == (484 + 426) * MIB


def test_a_card_cut_by_mig_is_listed_as_its_instances() -> None:
    """The instances stand in the list with their own memory, the cut card itself does not."""
    survey = survey_of(machines.H100_AND_A100_WITH_MIG)

    rows = [
        (gpu["mig_parent_index"], gpu["index"], gpu["name"], gpu["total_bytes"])
        for gpu in survey["gpus"]
    ]
    assert rows == [
        (None, 0, "NVIDIA H100 80GB HBM3", 81559 * MIB),
        (1, 0, "NVIDIA A100-SXM4-40GB MIG 3g.20gb", 19968 * MIB),
        (1, 2, "NVIDIA A100-SXM4-40GB MIG 1g.5gb", 4864 * MIB),
    ]


def test_a_mig_instance_has_its_own_processes_and_its_cards_chip() -> None:
    """Processes belong to the instance; bus and compute capability are those of the card."""
    instance = survey_of(machines.H100_AND_A100_WITH_MIG)["gpus"][1]

    assert [process["pid"] for process in instance["processes"]] == [5000777]
    assert instance["bus_id"] == "00000000:65:00.0"
    assert instance["compute_capability"] == [8, 0]
    assert instance["utilization_percent"] is None


def test_mig_without_instances_leaves_nothing_to_use() -> None:
    """A cut card without an instance is no GPU that anything could run on."""
    machine = "gpus=1\ngpu.0.name=NVIDIA A100-SXM4-40GB\ngpu.0.uuid=GPU-1\ngpu.0.mig=1\n"

    survey = survey_of(machine)

    assert survey["gpus"] == []
    assert survey["problem"] == "the driver shows no usable GPU"


def test_a_chip_without_memory_numbers_has_unknown_memory() -> None:
    """Memory that the driver does not tell is None, and all else is still read."""
    [gpu] = survey_of(machines.GB10)["gpus"]

    memory = ("total_bytes", "free_bytes", "used_bytes", "driver_reserved_bytes")
    assert [gpu[name] for name in memory] == [None] * 4
    assert gpu["compute_capability"] == [12, 1]
    assert gpu["power_limit_watts"] is None
    assert gpu["power_watts"] == 4.2


@pytest.mark.parametrize(
    ("call", "field"),
    [
        ("nvmlDeviceGetUUID", "uuid"),
        ("nvmlDeviceGetPciInfo_v3", "bus_id"),
        ("nvmlDeviceGetCudaComputeCapability", "compute_capability"),
        ("nvmlDeviceGetUtilizationRates", "utilization_percent"),
        ("nvmlDeviceGetTemperature", "temperature_celsius"),
        ("nvmlDeviceGetPowerUsage", "power_watts"),
        ("nvmlDeviceGetEnforcedPowerLimit", "power_limit_watts"),
    ],
)
@pytest.mark.parametrize("code", [3, 999])
def test_a_call_that_fails_costs_its_own_field_only(call: str, field: str, code: int) -> None:
    """One refused question leaves one field unknown, whatever the error."""
    machine = with_lines(machines.RTX_4090_DESKTOP, f"error.{call}={code}")

    [gpu] = survey_of(machine)["gpus"]

    unknown = {name for name, value in gpu.items() if value is None}
    assert unknown == {field, "mig_parent_index"}


def test_a_process_of_unknown_memory_is_listed() -> None:
    """The process is named, its memory is None."""
    machine = with_lines(machines.TWO_UNEQUAL_3090S, "gpu.1.proc.0=5150:na")

    gpu = survey_of(machine)["gpus"][1]

    assert gpu["processes"] == [{"pid": 5150, "name": "python", "used_bytes": None}]


def test_a_process_listed_twice_keeps_the_memory_that_is_known() -> None:
    """A process that computes and draws counts once, with the number that one list has."""
    machine = with_lines(
        machines.TWO_UNEQUAL_3090S, "gpu.0.proc.0=5150:na", f"gpu.0.gfx.0=5150:{7 * MIB}"
    )

    gpu = survey_of(machine)["gpus"][0]

    assert gpu["processes"] == [{"pid": 5150, "name": "python", "used_bytes": 7 * MIB}]


def test_a_lost_gpu_is_listed_beside_the_healthy_one() -> None:
    """A GPU that answers nothing keeps its row, and costs the others nothing."""
    lost, healthy = survey_of(with_lines(machines.TWO_UNEQUAL_3090S, "gpu.0.error=15"))["gpus"]

    assert lost["name"] == "unknown NVIDIA GPU"
    assert lost["index"] == 0
    assert lost["processes"] == []
    assert {value for key, value in lost.items() if key.endswith("_bytes")} == {None}
    assert healthy["total_bytes"] == 24576 * MIB


def test_a_gpu_lost_while_it_is_read_keeps_its_name() -> None:
    """What was known before the GPU was lost stays."""
    lost_calls = [
        f"gpu.0.error.{call}=15"
        for call in ("nvmlDeviceGetMemoryInfo", "nvmlDeviceGetMemoryInfo_v2")
    ]

    gpu = survey_of(with_lines(machines.TWO_UNEQUAL_3090S, *lost_calls))["gpus"][0]

    assert gpu["name"] == "NVIDIA GeForce RTX 3090"
    assert gpu["total_bytes"] is None


def test_another_users_gpu_is_left_out() -> None:
    """A GPU that this process has no permission for is none that CUDA would show."""
    machine = with_lines(machines.TWO_UNEQUAL_3090S, "gpu.0.error.nvmlDeviceGetHandleByIndex_v2=4")

    survey = survey_of(machine)

    assert [gpu["index"] for gpu in survey["gpus"]] == [1]


@pytest.mark.parametrize(
    ("machine", "problem"),
    [
        (machines.DRIVER_NOT_LOADED, "driver not loaded"),
        (machines.DRIVER_LIBRARY_MISMATCH, "driver/library version mismatch"),
        (machines.NO_GPU_IN_DRIVER, "the driver shows no usable GPU"),
        ("init.error=4", "no permission to use the driver"),
        ("init.error=999", "NVML did not start: Unknown Error"),
        (
            "gpus=1\nerror.nvmlDeviceGetCount_v2=999",
            "the driver could not list its GPUs: Unknown Error",
        ),
    ],
)
def test_a_driver_that_does_not_work_is_a_phrase(machine: str, problem: str) -> None:
    """Whatever keeps the driver from answering comes back as one short phrase."""
    survey = survey_of(machine)

    assert survey["gpus"] == []
    assert survey["problem"] == problem


def test_no_library_is_a_phrase() -> None:
    """Without a driver nothing is raised."""
    assert survey_in(no_driver_environment())["problem"] == "NVML library not found"
