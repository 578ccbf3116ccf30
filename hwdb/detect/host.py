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


class HostMemory(NamedTuple):
    """Memory of the host, or of the share of it that this process may use."""

    total_bytes: int
    available_bytes: int
    swap_bytes: int | None


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


def process_tree_rss_bytes(pid: int) -> int | None:
    """Resident memory of a process and all its descendants now, or None once it is gone.

    Pages that several of them share are counted in each, as `ps` and `top` do.
    """
    if _PROC.joinpath("self", "statm").exists():
        return _tree_rss_of_linux(pid)
    import psutil

    try:
        root = psutil.Process(pid)
        total_bytes = int(root.memory_info().rss)
        if root.status() == psutil.STATUS_ZOMBIE:
            return None
        descendants = root.children(recursive=True)
    except psutil.NoSuchProcess:
        return None
    for process in descendants:
        try:
            total_bytes += int(process.memory_info().rss)
        except psutil.NoSuchProcess:
            continue  # ended between the listing and the question
    return total_bytes


def _tree_rss_of_linux(pid: int) -> int | None:
    """By the kernel's own lists of children: psutil looks at every process of the machine."""
    own_bytes = _rss_bytes(pid)
    if not own_bytes:  # a zombie holds nothing any more
        return None
    return own_bytes + sum(_tree_rss_of_linux(child) or 0 for child in _children(pid))


def _rss_bytes(pid: int) -> int | None:
    try:
        pages = (_PROC / str(pid) / "statm").read_text().split()[1]
    except (OSError, IndexError):
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for children in (_PROC / str(pid) / "task").glob("*/children"):
        try:
            found += map(int, children.read_text().split())
        except OSError:
            continue  # a thread that ended meanwhile
    return found


def process_peak_rss_bytes(pid: int) -> int | None:
    """The most resident memory this one process ever had, as the kernel kept it (VmHWM).

    Children are not counted. None once it is gone, and where the system keeps no such peak.
    """
    try:
        status = (_PROC / str(pid) / "status").read_text()
    except OSError:
        return None
    return _kib_lines(status).get("VmHWM")


def _memory_of_linux(meminfo: Path) -> HostMemory | None:
    try:
        values = _kib_lines(meminfo.read_text())
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
