"""What was found in this machine, as plain values that outlive the libraries that read them.

A field is None where the driver or the operating system cannot say; it is never 0 for unknown.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuProcess:
    """A process that holds memory of a GPU."""

    pid: int
    name: str | None
    used_bytes: int | None
    """None on WSL, on Windows and in some containers, where the driver keeps it to itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuReading:
    """One GPU, or one MIG instance of a GPU, at the moment it was read."""

    index: int
    """The number nvidia-smi gives the GPU (PCI bus order); for a MIG instance, its slot."""

    uuid: str | None
    name: str
    bus_id: str | None
    total_bytes: int | None
    free_bytes: int | None
    used_bytes: int | None
    """What processes use. Older drivers count their own reserve in; then the next field is None."""

    driver_reserved_bytes: int | None
    compute_capability: tuple[int, int] | None
    mig_parent_index: int | None
    """Index of the GPU that this MIG instance is a part of; None for a whole GPU."""

    utilization_percent: int | None
    temperature_celsius: int | None
    power_watts: float | None
    power_limit_watts: float | None
    processes: tuple[GpuProcess, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSample:
    """What a GPU and some of its processes use at one moment of a run."""

    total_bytes: int | None
    free_bytes: int | None
    used_bytes: int | None
    """Used on the whole card, by anybody."""

    process_bytes: int | None
    """Used by those of the processes asked about that hold memory here, together.

    None when the driver lists none of them, or lists one without saying how much it uses.
    """

    utilization_percent: int | None
    temperature_celsius: int | None
    power_watts: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuIdentity:
    """What does not change about a GPU while something runs on it."""

    index: int | None
    name: str | None
    power_limit_watts: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReading:
    """Memory and processor that this process may use; in a container or a job, its share."""

    total_bytes: int
    available_bytes: int
    cpu_cores: int
    cpu_name: str | None
    swap_bytes: int | None
    operating_system: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The host and every GPU that CUDA_VISIBLE_DEVICES leaves visible."""

    host: HostReading
    gpus: tuple[GpuReading, ...]
    driver_version: str | None
    cuda_version: str | None
    gpu_problem: str | None
    """Why `gpus` is empty, as a short phrase; None when it is not."""
