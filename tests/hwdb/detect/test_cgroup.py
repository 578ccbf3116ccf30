"""Behaviour of container and job limits, read from control group files of both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwdb.detect.cgroup import MemoryShare, cpu_quota_cores, memory_share

GIB = 2**30


class ControlGroups:
    """A tree of control group files with this process somewhere in it."""

    def __init__(self, folder: Path) -> None:
        self.cgroup_root = folder / "cgroup"
        self.own_groups = folder / "own_groups"
        self.own_groups.write_text("0::/\n")

    def write(self, path: str, text: str) -> None:
        """Write one control group file."""
        file = self.cgroup_root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")

    def memory(self) -> MemoryShare | None:
        """The share read from this tree."""
        return memory_share(cgroup_root=self.cgroup_root, own_groups=self.own_groups)

    def cores(self) -> float | None:
        """The quota read from this tree."""
        return cpu_quota_cores(cgroup_root=self.cgroup_root, own_groups=self.own_groups)


@pytest.fixture
def groups(tmp_path: Path) -> ControlGroups:
    """An empty tree, as on a host without limits."""
    return ControlGroups(tmp_path)


def test_a_host_without_limits_has_no_share(groups: ControlGroups) -> None:
    """Missing files and the word max are no limit."""
    assert groups.memory() is None
    assert groups.cores() is None

    groups.write("memory.max", "max")
    groups.write("cpu.max", "max 100000")

    assert groups.memory() is None
    assert groups.cores() is None


def test_a_container_of_version_2_is_limited(groups: ControlGroups) -> None:
    """File cache that can be dropped is still available."""
    groups.write("memory.max", str(8 * GIB))
    groups.write("memory.current", str(3 * GIB))
    groups.write("memory.stat", f"anon 5\ninactive_file {1 * GIB}\nactive_file 7")
    groups.write("cpu.max", "250000 100000")

    assert groups.memory() == MemoryShare(limit_bytes=8 * GIB, available_bytes=6 * GIB)
    assert groups.cores() == 2.5


def test_the_tightest_level_wins(groups: ControlGroups) -> None:
    """A job's own group may be wide open inside a step or slice that is not."""
    groups.own_groups.write_text("0::/system.slice/job_7/step_0\n")
    groups.write("system.slice/job_7/step_0/memory.max", "max")
    groups.write("system.slice/job_7/memory.max", str(16 * GIB))
    groups.write("system.slice/job_7/memory.current", str(2 * GIB))
    groups.write("system.slice/memory.max", str(64 * GIB))
    groups.write("system.slice/memory.current", str(60 * GIB))
    groups.write("system.slice/job_7/cpu.max", "400000 100000")
    groups.write("system.slice/cpu.max", "800000 100000")

    assert groups.memory() == MemoryShare(limit_bytes=16 * GIB, available_bytes=4 * GIB)
    assert groups.cores() == 4.0


def test_version_1_is_read_from_its_controllers(groups: ControlGroups) -> None:
    """Memory and CPU stand in trees of their own, and no limit is a huge number there."""
    groups.own_groups.write_text("5:cpu,cpuacct:/slurm/job_7\n4:memory:/slurm/job_7\n0::/\n")
    groups.write("memory/memory.limit_in_bytes", "9223372036854771712")
    groups.write("memory/slurm/job_7/memory.limit_in_bytes", str(4 * GIB))
    groups.write("memory/slurm/job_7/memory.usage_in_bytes", str(1 * GIB))
    groups.write("memory/slurm/job_7/memory.stat", f"total_inactive_file {GIB // 2}")
    groups.write("cpu/slurm/job_7/cpu.cfs_quota_us", "300000")
    groups.write("cpu/slurm/job_7/cpu.cfs_period_us", "100000")
    groups.write("cpu/cpu.cfs_quota_us", "-1")
    groups.write("cpu/cpu.cfs_period_us", "100000")

    assert groups.memory() == MemoryShare(limit_bytes=4 * GIB, available_bytes=3 * GIB + GIB // 2)
    assert groups.cores() == 3.0


@pytest.mark.parametrize("path", ["/docker/0123abc", "/../../elsewhere"])
def test_a_path_of_the_host_falls_back_to_the_mounted_group(
    groups: ControlGroups, path: str
) -> None:
    """In a container the named group may not exist: the mounted root is the own group then."""
    groups.own_groups.write_text(f"4:memory:{path}\n")
    groups.write("memory/memory.limit_in_bytes", str(2 * GIB))
    groups.write("memory/memory.usage_in_bytes", str(1 * GIB))

    assert groups.memory() == MemoryShare(limit_bytes=2 * GIB, available_bytes=1 * GIB)


def test_use_beyond_the_limit_leaves_nothing(groups: ControlGroups) -> None:
    """The kernel counts a little past the limit before it acts; available is never negative."""
    groups.write("memory.max", "1000")
    groups.write("memory.current", "1200")

    assert groups.memory() == MemoryShare(limit_bytes=1000, available_bytes=0)
