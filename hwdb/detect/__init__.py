"""What is in this machine: its GPUs through the NVIDIA driver, and its host.

Importing this package reads nothing and imports neither pynvml nor psutil.
"""

from __future__ import annotations

from hwdb.detect.host import (
    HostMemory,
    process_memory,
    process_tree,
    read_host,
    read_host_memory,
)
from hwdb.detect.machine import GpuIdentity, GpuProcess, GpuReading, GpuSample, HostReading, Machine
from hwdb.detect.nvml import GpuLost, NvmlSampler, NvmlUnavailable, read_gpus
from hwdb.detect.nvml_survey import GpuSurvey

__all__ = [
    "GpuIdentity",
    "GpuLost",
    "GpuProcess",
    "GpuReading",
    "GpuSample",
    "GpuSurvey",
    "HostMemory",
    "HostReading",
    "Machine",
    "NvmlSampler",
    "NvmlUnavailable",
    "process_memory",
    "process_tree",
    "read_gpus",
    "read_host",
    "read_host_memory",
    "read_machine",
]


def read_machine() -> Machine:
    """Read the host and every visible GPU. A machine without a GPU is a normal answer."""
    survey = read_gpus()
    return Machine(
        host=read_host(),
        gpus=survey.gpus,
        driver_version=survey.driver_version,
        cuda_version=survey.cuda_version,
        gpu_problem=survey.problem,
    )
