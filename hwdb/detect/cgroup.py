"""The share of memory and processor that a container or a Slurm job leaves to this process.

/proc/meminfo and the CPU count speak of the whole host; the kernel enforces the control group.
Limits of every level from this process's group up to the root hold, the smallest wins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_CGROUP_ROOT = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")

# Version 1 writes the largest page-aligned 64-bit number for "no limit".
_UNLIMITED_BYTES = 1 << 60


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryShare:
    """What the control groups of this process allow it."""

    limit_bytes: int
    available_bytes: int
    """Below the limit and not in use; file cache that the kernel can drop counts as available."""


def memory_share(
    *, cgroup_root: Path = _CGROUP_ROOT, own_groups: Path = _OWN_GROUPS
) -> MemoryShare | None:
    """The tightest memory limit and what is left of it, or None without a limit."""
    shares = [
        share
        for group in _groups("memory", cgroup_root, own_groups)
        if (share := _memory_share_of(group)) is not None
    ]
    if not shares:
        return None
    return MemoryShare(
        limit_bytes=min(share.limit_bytes for share in shares),
        available_bytes=min(share.available_bytes for share in shares),
    )


def cpu_quota_cores(
    *, cgroup_root: Path = _CGROUP_ROOT, own_groups: Path = _OWN_GROUPS
) -> float | None:
    """Cores' worth of CPU time that the tightest quota grants, or None without a quota."""
    quotas = [
        quota
        for group in _groups("cpu", cgroup_root, own_groups)
        if (quota := _cpu_quota_of(group)) is not None
    ]
    return min(quotas, default=None)


def _groups(controller: str, cgroup_root: Path, own_groups: Path) -> Iterator[Path]:
    """Folders of this process's group and its parents, of version 2 and of version 1."""
    try:
        lines = own_groups.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            mount = cgroup_root
        elif controller in controllers.split(","):
            mount = cgroup_root / controller
        else:
            continue
        # In a container the path may be the host's, with the own group mounted as the root: levels
        # that do not exist here hold no files and drop out.
        parts = [] if ".." in path else [part for part in path.split("/") if part]
        for depth in range(len(parts), -1, -1):
            yield mount.joinpath(*parts[:depth])


def _memory_share_of(group: Path) -> MemoryShare | None:
    for limit_name, usage_name, cache_key in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        limit_bytes = _number(group / limit_name)
        if limit_bytes is None or limit_bytes >= _UNLIMITED_BYTES:
            continue
        used_bytes = (_number(group / usage_name) or 0) - _statistic(group, cache_key)
        available_bytes = min(limit_bytes, max(0, limit_bytes - used_bytes))
        return MemoryShare(limit_bytes=limit_bytes, available_bytes=available_bytes)
    return None


def _cpu_quota_of(group: Path) -> float | None:
    words = (_text(group / "cpu.max") or "").split()
    if len(words) == 2 and words[0] != "max":
        return int(words[0]) / int(words[1])
    quota = _number(group / "cpu.cfs_quota_us")
    period = _number(group / "cpu.cfs_period_us")
    return quota / period if quota and quota > 0 and period else None


def _statistic(group: Path, key: str) -> int:
    for line in (_text(group / "memory.stat") or "").splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    return 0


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text and text.lstrip("-").isdigit() else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
