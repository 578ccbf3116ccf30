"""Memory, processor and operating system of the host, and the memory of a running process.

On Linux the host is read from /proc, so that the quick check stays free of psutil; elsewhere, and
for process trees, psutil is imported where it is used (15 ms).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

from hwdb.detect.cgroup import cpu_quota_cores, memory_share
from hwdb.detect.machine import HostReading

_PROC = Path("/proc")
_PROC_BYTES = 1 << 16
"""More than `status`, `meminfo` or a list of children takes; the kernel hands them out whole."""


class HostMemory(NamedTuple):
    """Memory of the host, or of the share of it that this process may use."""

    total_bytes: int
    available_bytes: int
    swap_bytes: int | None


class ProcessMemory(NamedTuple):
    """Resident memory of a process."""

    resident_bytes: int
    peak_bytes: int | None
    """The most it ever had, as the kernel keeps it (VmHWM); None where the system keeps none."""


def read_host() -> HostReading:
    """Read the host; inside a container or a job, the share of it that may be used."""
    memory = read_host_memory()
    return HostReading(
        total_bytes=memory.total_bytes,
        available_bytes=memory.available_bytes,
        cpu_cores=usable_cpu_cores(quota_cores=cpu_quota_cores()),
        cpu_name=_cpu_name(_PROC / "cpuinfo"),
        swap_bytes=memory.swap_bytes,
        operating_system=_operating_system(),
    )


def read_host_memory() -> HostMemory:
    """Read the memory alone: a fraction of a millisecond, for samples during a run."""
    memory = _memory_of_linux(_PROC / "meminfo") or _memory_by_psutil()
    share = memory_share()
    if share is None:
        return memory
    return HostMemory(
        min(memory.total_bytes, share.limit_bytes),
        min(memory.available_bytes, share.available_bytes),
        memory.swap_bytes,
    )


def usable_cpu_cores(*, quota_cores: float | None) -> int:
    """Whole cores this process may use at once: its affinity, cut to the quota, at least 1."""
    if sys.platform == "linux":
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    if quota_cores is not None:
        cores = min(cores, int(quota_cores))
    return max(1, cores)


def process_memory(pid: int) -> ProcessMemory | None:
    """Resident memory of one process, its children not counted; None once it is gone."""
    if sys.platform != "linux":
        return _process_memory_by_psutil(pid)
    try:
        values = _kib_lines(_proc_text(f"/proc/{pid}/status"))
    except OSError:
        return None
    resident_bytes = values.get("VmRSS")
    if not resident_bytes:  # a zombie holds nothing any more
        return None
    return ProcessMemory(resident_bytes, values.get("VmHWM"))


def process_tree(pid: int) -> set[int]:
    """The process and its descendants.

    On Linux from the kernel's own lists of children, one for each thread: psutil looks at every
    process of the machine.
    """
    if sys.platform != "linux":
        return _process_tree_by_psutil(pid)
    tree = {pid}
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - half the time of iterdir
    except OSError:
        return tree
    for thread in threads:
        try:
            children = _proc_text(f"/proc/{pid}/task/{thread}/children").split()
        except OSError:
            continue  # a thread that ended meanwhile
        for child in children:
            tree |= process_tree(int(child))
    return tree


def _process_memory_by_psutil(pid: int) -> ProcessMemory | None:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return ProcessMemory(int(process.memory_info().rss), None)
    except psutil.NoSuchProcess:
        return None


def _process_tree_by_psutil(pid: int) -> set[int]:
    import psutil

    try:
        return {pid, *(each.pid for each in psutil.Process(pid).children(recursive=True))}
    except psutil.NoSuchProcess:
        return {pid}


def _proc_text(path: str) -> str:
    """A file of /proc in three system calls; `read_text` takes eight, which a sample would feel."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _PROC_BYTES).decode(errors="replace")
    finally:
        os.close(descriptor)


def _memory_of_linux(meminfo: Path) -> HostMemory | None:
    try:
        values = _kib_lines(_proc_text(str(meminfo)))
    except OSError:
        return None
    if "MemTotal" not in values or "MemAvailable" not in values:
        return None
    return HostMemory(values["MemTotal"], values["MemAvailable"], values.get("SwapTotal"))


def _memory_by_psutil() -> HostMemory:
    import psutil

    memory = psutil.virtual_memory()
    return HostMemory(memory.total, memory.available, psutil.swap_memory().total)


def _kib_lines(text: str) -> dict[str, int]:
    """The `Key:   123 kB` lines of a /proc file, in bytes."""
    values = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if value.endswith(" kB"):
            values[key] = int(value[:-3]) * 1024
    return values


def _cpu_name(cpuinfo: Path) -> str | None:
    try:
        with cpuinfo.open() as lines:  # line by line: with many cores the file takes long to make
            for line in lines:
                key, _, value = line.partition(":")
                if key.strip() == "model name":
                    return value.strip() or None
    except OSError:
        import platform

        return platform.processor() or None
    return None


def _operating_system() -> str:
    if sys.platform != "linux":
        import platform

        return platform.platform()
    kernel = f"Linux {os.uname().release}"
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return kernel
    names = [line.partition("=")[2].strip('"') for line in lines if line.startswith("PRETTY_NAME=")]
    return f"{names[0]}, {kernel}" if names else kernel
