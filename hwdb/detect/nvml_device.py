"""One GPU behind NVML: every question is answered or None, whatever the driver makes of it.

Boards, drivers and containers differ in what they answer. A question that fails costs its own
field and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from hwdb.detect.machine import GpuProcess


class MemoryReading(NamedTuple):
    """Bytes of one GPU; each is None where the driver cannot say."""

    total_bytes: int | None = None
    free_bytes: int | None = None
    used_bytes: int | None = None
    driver_reserved_bytes: int | None = None


@dataclass(slots=True)
class NvmlDevice:
    """Questions to one NVML handle."""

    nvml: Any
    """The imported pynvml, which is untyped and is imported in one place only."""

    handle: Any
    """None for a GPU the driver hands out no handle of; it answers nothing."""

    lost_reason: str | None = field(default=None, init=False)
    """The driver's words once it said that the GPU is lost or must be reset."""

    def ask(self, question: Callable[..., Any], *arguments: Any) -> Any:
        """The driver's answer to one pynvml call on this GPU, or None."""
        if self.handle is None:
            return None
        try:
            return question(self.handle, *arguments)
        except self.nvml.NVMLError as error:
            if error.value in (
                self.nvml.NVML_ERROR_GPU_IS_LOST,
                self.nvml.NVML_ERROR_RESET_REQUIRED,
            ):
                self.lost_reason = str(error)
            return None
        except UnicodeDecodeError:  # a damaged name or serial number
            return None

    def name(self) -> str | None:
        """Marketing name, exactly as the driver spells it."""
        return self.ask(self.nvml.nvmlDeviceGetName) or None

    def index(self) -> int | None:
        """The number nvidia-smi gives the GPU; for a MIG instance, its slot."""
        index = self.ask(self.nvml.nvmlDeviceGetIndex)
        return None if index is None else int(index)

    def uuid(self) -> str | None:
        """`GPU-...` or `MIG-...`, the same on every start."""
        return self.ask(self.nvml.nvmlDeviceGetUUID) or None

    def bus_id(self) -> str | None:
        """PCI address, such as 00000000:01:00.0."""
        pci = self.ask(self.nvml.nvmlDeviceGetPciInfo)
        return None if pci is None else _text(pci.busId)

    def compute_capability(self) -> tuple[int, int] | None:
        """CUDA compute capability, such as (8, 9)."""
        version = self.ask(self.nvml.nvmlDeviceGetCudaComputeCapability)
        return None if version is None else (int(version[0]), int(version[1]))

    def memory(self) -> MemoryReading:
        """Memory of the card; all None on chips that share the host's memory (GB10, Jetson)."""
        # Version 2 leaves the driver's own reserve out of `used`; version 1 counts it in.
        info = self.ask(self.nvml.nvmlDeviceGetMemoryInfo, self.nvml.nvmlMemory_v2)
        reserved_bytes = None if info is None else int(info.reserved)
        info = info or self.ask(self.nvml.nvmlDeviceGetMemoryInfo)
        if info is None or not info.total:
            return MemoryReading()
        return MemoryReading(int(info.total), int(info.free), int(info.used), reserved_bytes)

    def utilization_percent(self) -> int | None:
        """Share of the last sampling period in which a kernel ran; None while MIG is on."""
        rates = self.ask(self.nvml.nvmlDeviceGetUtilizationRates)
        return None if rates is None else int(rates.gpu)

    def temperature_celsius(self) -> int | None:
        """Temperature of the chip."""
        celsius = self.ask(self.nvml.nvmlDeviceGetTemperature, self.nvml.NVML_TEMPERATURE_GPU)
        return None if celsius is None else int(celsius)

    def power_watts(self) -> float | None:
        """Power the board draws."""
        return _watts(self.ask(self.nvml.nvmlDeviceGetPowerUsage))

    def power_limit_watts(self) -> float | None:
        """Power the board is held to now, by its owner or by its design."""
        return _watts(self.ask(self.nvml.nvmlDeviceGetEnforcedPowerLimit))

    def process_memory(self) -> dict[int, int | None]:
        """Bytes by process id. Empty also where the driver lists no processes."""
        used_by_pid: dict[int, int | None] = {}
        for process in self._listed_processes():
            # A process that computes and draws stands in both lists with the same number.
            known = [used_by_pid.get(process.pid), process.usedGpuMemory]
            used_by_pid[process.pid] = max((n for n in known if n is not None), default=None)
        return used_by_pid

    def processes(self) -> tuple[GpuProcess, ...]:
        """Processes with names, the largest first."""
        found = [
            GpuProcess(pid=pid, name=self._process_name(pid), used_bytes=used_bytes)
            for pid, used_bytes in self.process_memory().items()
        ]
        return tuple(sorted(found, key=lambda process: -(process.used_bytes or 0)))

    def mig_instances(self) -> list[tuple[int, NvmlDevice]] | None:
        """Slot and instance of a GPU that is cut by MIG; None where MIG is off."""
        mode = self.ask(self.nvml.nvmlDeviceGetMigMode)
        if mode is None or mode[0] != self.nvml.NVML_DEVICE_MIG_ENABLE:
            return None
        slots = self.ask(self.nvml.nvmlDeviceGetMaxMigDeviceCount) or 0
        handles = {
            slot: self.ask(self.nvml.nvmlDeviceGetMigDeviceHandleByIndex, slot)
            for slot in range(slots)
        }
        return [
            (slot, NvmlDevice(self.nvml, handle))
            for slot, handle in handles.items()
            if handle is not None
        ]

    def _listed_processes(self) -> list[Any]:
        # pynvml's names without a version raise an error of another family on older drivers.
        nvml = self.nvml
        compute = self.ask(nvml.nvmlDeviceGetComputeRunningProcesses_v3)
        if compute is None:
            compute = self.ask(nvml.nvmlDeviceGetComputeRunningProcesses_v2)
        graphics = self.ask(nvml.nvmlDeviceGetGraphicsRunningProcesses_v3)
        if graphics is None:
            graphics = self.ask(nvml.nvmlDeviceGetGraphicsRunningProcesses_v2)
        return [*(compute or ()), *(graphics or ())]

    def _process_name(self, pid: int) -> str | None:
        # NVML first: in a container its process ids may be those of the host, and /proc would
        # name another process.
        try:
            command = _text(self.nvml.nvmlSystemGetProcessName(pid))
        except (self.nvml.NVMLError, UnicodeDecodeError):
            return _proc_name(pid)
        return _program(command) or _proc_name(pid)


def _program(command: str) -> str:
    if "\\" in command:
        return command.rpartition("\\")[2]
    return command.partition(" ")[0].rpartition("/")[2]


def _proc_name(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip() or None
    except OSError:
        return None


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts / 1000


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
