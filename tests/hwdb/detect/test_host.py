"""Behaviour of what is read about the host and about running processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from hwdb.detect import process_memory, process_tree, read_host
from hwdb.detect.host import usable_cpu_cores

MIB = 2**20


def test_the_host_is_read() -> None:
    """Memory is what the kernel says or less, and name and system are there."""
    host = read_host()

    assert 0 < host.available_bytes <= host.total_bytes <= psutil.virtual_memory().total
    assert host.swap_bytes == psutil.swap_memory().total
    assert host.operating_system
    assert 1 <= host.cpu_cores <= len(os.sched_getaffinity(0))


def test_cores_are_those_of_the_affinity() -> None:
    """A process that is held to one core has one core."""
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from hwdb.detect import read_host; print(read_host().cpu_cores)"
    )

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout

    assert printed.strip() == b"1"


@pytest.mark.parametrize(("quota_cores", "cores"), [(0.5, 1), (1.9, 1), (10_000.0, None)])
def test_a_quota_cuts_whole_cores(quota_cores: float, cores: int | None) -> None:
    """A fraction of a core is not a core, and there is always one."""
    expected = cores or len(os.sched_getaffinity(0))

    assert usable_cpu_cores(quota_cores=quota_cores) == expected


_PARENT_WITH_CHILD = """
import subprocess, sys
held = b"x" * {bytes}
child = "held = b'x' * {bytes}; print('ready', flush=True); input()"
process = subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE)
process.wait()
"""


def test_a_process_and_its_children_are_found() -> None:
    """Each of the tree has its own memory, and no less of a peak."""
    held_bytes = 64 * MIB
    code = _PARENT_WITH_CHILD.format(bytes=held_bytes)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"

        tree = process_tree(process.pid)
        memories = [process_memory(each) for each in tree]
        children = psutil.Process(process.pid).children()
        for child in children:
            child.kill()

    assert tree == {process.pid, *(each.pid for each in children)}
    assert len(tree) == 2
    for memory in memories:
        assert memory is not None
        assert memory.peak_bytes is not None
        assert held_bytes < memory.resident_bytes <= memory.peak_bytes < 2 * held_bytes


def test_a_process_that_is_gone_has_no_memory() -> None:
    """Also a process that ended and was not waited for is gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        deadline = time.monotonic() + 20
        while process_memory(process.pid) is not None and time.monotonic() < deadline:
            time.sleep(0.01)

        assert process_memory(process.pid) is None

    assert process_memory(process.pid) is None
    assert process_tree(process.pid) == {process.pid}
