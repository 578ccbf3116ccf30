"""Every GPU an open NVML session shows, as plain readings.

A GPU that is lost is still listed, with what it last told about itself, so that nobody wonders
where it went. A GPU cut by MIG is listed as its instances, because only those can be used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hwdb.detect.machine import GpuReading
from hwdb.detect.nvml_device import NvmlDevice
from hwdb.detect.visible import GpuIdentity, visible_positions


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSurvey:
    """Every visible NVIDIA GPU, or the reason why there is none."""

    gpus: tuple[GpuReading, ...] = ()
    driver_version: str | None = None
    cuda_version: str | None = None
    problem: str | None = None
    """A short phrase when `gpus` is empty, else None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ListedGpu:
    identity: GpuIdentity
    device: NvmlDevice
    parent: NvmlDevice | None = None
    """The whole GPU, when `device` is one of its MIG instances."""


def survey_gpus(nvml: Any, *, visible_devices: str | None) -> GpuSurvey:
    """Read the GPUs that `visible_devices`, the text of CUDA_VISIBLE_DEVICES, names.

    `nvml` is pynvml after nvmlInit. A hidden GPU is asked for nothing but its identity.
    """
    listed: list[_ListedGpu] = []
    problem = None
    try:
        listed.extend(_list_gpus(nvml))
    except nvml.NVMLError as error:
        problem = f"the driver could not list its GPUs: {error}"
    positions = visible_positions([gpu.identity for gpu in listed], visible_devices)
    if not positions and problem is None:
        hidden = "no GPU visible through CUDA_VISIBLE_DEVICES"
        problem = hidden if listed else "the driver shows no usable GPU"
    return GpuSurvey(
        gpus=tuple(_read_gpu(listed[position]) for position in positions),
        driver_version=_driver_version(nvml),
        cuda_version=_cuda_version(nvml),
        problem=problem,
    )


def _list_gpus(nvml: Any) -> Iterator[_ListedGpu]:
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
        except nvml.NVMLError_NoPermission:
            continue  # another job's GPU, which CUDA does not show either
        except nvml.NVMLError:
            handle = None
        device = NvmlDevice(nvml, handle)
        uuid = device.uuid()
        instances = device.mig_instances()
        if instances is None:
            yield _ListedGpu(identity=GpuIdentity(index=index, uuid=uuid), device=device)
            continue
        for slot, instance in instances:
            identity = GpuIdentity(
                index=slot, uuid=instance.uuid(), mig_parent_index=index, mig_parent_uuid=uuid
            )
            yield _ListedGpu(identity=identity, device=instance, parent=device)


def _read_gpu(gpu: _ListedGpu) -> GpuReading:
    device = gpu.device
    whole = gpu.parent or device
    memory = device.memory()
    return GpuReading(
        index=gpu.identity.index,
        uuid=gpu.identity.uuid,
        name=device.name() or _name_without_answer(gpu.parent),
        bus_id=whole.bus_id(),
        total_bytes=memory.total_bytes,
        free_bytes=memory.free_bytes,
        used_bytes=memory.used_bytes,
        driver_reserved_bytes=memory.driver_reserved_bytes,
        compute_capability=whole.compute_capability(),
        mig_parent_index=gpu.identity.mig_parent_index,
        utilization_percent=device.utilization_percent(),
        temperature_celsius=device.temperature_celsius(),
        power_watts=device.power_watts(),
        power_limit_watts=device.power_limit_watts(),
        processes=device.processes(),
    )


def _name_without_answer(parent: NvmlDevice | None) -> str:
    parent_name = parent.name() if parent else None
    return f"{parent_name} MIG" if parent_name else "unknown NVIDIA GPU"


def _driver_version(nvml: Any) -> str | None:
    try:
        return nvml.nvmlSystemGetDriverVersion() or None
    except nvml.NVMLError:
        return None


def _cuda_version(nvml: Any) -> str | None:
    try:
        number = nvml.nvmlSystemGetCudaDriverVersion_v2()
    except nvml.NVMLError:
        return None
    return f"{number // 1000}.{number % 1000 // 10}"
