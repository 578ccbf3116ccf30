"""NVIDIA GPUs through the driver's library: a survey of all, and samples of one during a run.

The only file that imports pynvml, and only where the driver's library loads: a machine without
one answers in a fraction of a millisecond. No GPU is an answer here, not an error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

from hwdb.detect.machine import GpuIdentity, GpuSample
from hwdb.detect.nvml_device import NvmlDevice
from hwdb.detect.nvml_survey import GpuSurvey, survey_gpus


class NvmlUnavailable(Exception):
    """NVML cannot be used here; the text is the reason as a short phrase."""


class GpuLost(Exception):
    """The GPU fell off the bus, must be reset or is gone; the text is the driver's reason."""


def read_gpus() -> GpuSurvey:
    """Read every GPU that CUDA_VISIBLE_DEVICES leaves visible. Never raises for a driver's sake."""
    try:
        with _open_nvml() as nvml:
            return survey_gpus(nvml, visible_devices=os.environ.get("CUDA_VISIBLE_DEVICES"))
    except NvmlUnavailable as unavailable:
        return GpuSurvey(problem=str(unavailable))


class NvmlSampler:
    """Samples GPUs again and again; NVML stays open between `__enter__` and `__exit__`.

    Raises NvmlUnavailable on entering where there is no working driver.
    """

    def __init__(self) -> None:
        self._session = _open_nvml()
        self._nvml: Any = None
        self._devices: dict[str, NvmlDevice] = {}

    def __enter__(self) -> Self:
        self._nvml = self._session.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._session.__exit__(kind, error, traceback)

    def sample(self, uuid: str, pids: Collection[int]) -> GpuSample:
        """What the GPU or MIG instance `uuid` uses now, and the processes `pids` of it together.

        Raises GpuLost when the GPU no longer answers.
        """
        device = self._device(uuid)
        memory = device.memory()
        sample = GpuSample(
            total_bytes=memory.total_bytes,
            free_bytes=memory.free_bytes,
            used_bytes=memory.used_bytes,
            process_bytes=_bytes_together(device.process_memory(), pids),
            utilization_percent=device.utilization_percent(),
            temperature_celsius=device.temperature_celsius(),
            power_watts=device.power_watts(),
        )
        if device.lost_reason is not None:
            raise GpuLost(device.lost_reason)
        return sample

    def identity(self, uuid: str) -> GpuIdentity:
        """Number, name and power limit of the GPU `uuid`; raises GpuLost when there is none."""
        device = self._device(uuid)
        return GpuIdentity(
            index=device.index(),
            name=device.name(),
            power_limit_watts=device.power_limit_watts(),
        )

    def _device(self, uuid: str) -> NvmlDevice:
        if uuid not in self._devices:
            try:
                handle = self._nvml.nvmlDeviceGetHandleByUUID(uuid)
            except self._nvml.NVMLError as error:
                raise GpuLost(f"the driver has no GPU {uuid}: {error}") from error
            self._devices[uuid] = NvmlDevice(self._nvml, handle)
        return self._devices[uuid]


def _bytes_together(used_by_pid: dict[int, int | None], pids: Collection[int]) -> int | None:
    used = [used_bytes for pid, used_bytes in used_by_pid.items() if pid in pids]
    known = [used_bytes for used_bytes in used if used_bytes is not None]
    # A process that is not listed may be one that the driver knows by another number.
    return sum(known) if known and len(known) == len(used) else None


@contextmanager
def _open_nvml() -> Iterator[Any]:
    if not _library_loads():
        raise NvmlUnavailable("NVML library not found")
    import pynvml  # type: ignore[import-untyped, unused-ignore]

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise NvmlUnavailable(_init_problem(pynvml, error)) from error
    try:
        yield pynvml
    finally:
        with suppress(pynvml.NVMLError):  # the driver may have gone away meanwhile
            pynvml.nvmlShutdown()


def _library_loads() -> bool:
    import ctypes

    # Where pynvml itself looks.
    if sys.platform == "win32":
        windows = os.environ.get("WINDIR", "C:/Windows")
        programs = os.environ.get("PROGRAMFILES", "C:/Program Files")
        names = [
            f"{windows}/System32/nvml.dll",
            f"{programs}/NVIDIA Corporation/NVSMI/nvml.dll",
        ]
    else:
        names = ["libnvidia-ml.so.1"]
    for name in names:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False


def _init_problem(nvml: Any, error: Any) -> str:
    phrases = {
        nvml.NVML_ERROR_LIBRARY_NOT_FOUND: "NVML library not found",
        nvml.NVML_ERROR_DRIVER_NOT_LOADED: "driver not loaded",
        nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "driver/library version mismatch",
        nvml.NVML_ERROR_NO_PERMISSION: "no permission to use the driver",
        nvml.NVML_ERROR_FUNCTION_NOT_FOUND: "driver too old",
    }
    return phrases.get(error.value, f"NVML did not start: {error}")
