"""Behaviour of the sampler that follows a GPU while something runs on it."""

from __future__ import annotations

import pytest

from tests.fake_nvml import fake_driver_environment, machines, run_python, with_lines
from tests.fake_nvml.machines import MIB

_SAMPLE = """
import dataclasses, json
from hwdb.detect import NvmlSampler
with NvmlSampler() as sampler:
    print(json.dumps(dataclasses.asdict(sampler.sample({uuid!r}, {pids!r}))))
"""

_BUSY_3090 = "GPU-30900000-bbbb-0000-0000-000000000000"


def sample(machine_text: str, uuid: str, pids: list[int]) -> dict[str, float | None]:
    """One sample of a GPU of the machine, as plain JSON values."""
    code = _SAMPLE.format(uuid=uuid, pids=pids)
    answer: dict[str, float | None] = run_python(code, fake_driver_environment(machine_text))
    return answer


def test_a_sample_holds_card_and_process() -> None:
    """Card-wide use, use of the processes asked about, load, heat and power come together."""
    assert sample(machines.TWO_UNEQUAL_3090S, _BUSY_3090, [5150]) == {
        "total_bytes": 24576 * MIB,
        "free_bytes": (24576 - 446 - 9216) * MIB,
        "used_bytes": 9216 * MIB,
        "process_bytes": 9215 * MIB,
        "utilization_percent": 98,
        "temperature_celsius": 72,
        "power_watts": 301.0,
    }


@pytest.mark.parametrize(
    ("listed", "pids", "process_bytes"),
    [
        (["7:100", "8:20", "9:3"], [7, 9], 103),
        (["7:100"], [7, 4000], 100),
        (["7:100"], [4000], None),
        (["7:100", "8:na"], [7, 8], None),
        (["7:na"], [7], None),
        ([], [7], None),
    ],
    ids=["sum", "idle child", "not listed", "partly unknown", "unknown", "no list"],
)
def test_process_memory_is_a_sum_of_known_numbers(
    listed: list[str], pids: list[int], process_bytes: int | None
) -> None:
    """A sum is given only when the driver tells each of its parts; never 0 for unknown."""
    lines = [f"gpu.0.proc.{i}={entry}" for i, entry in enumerate(listed)]
    machine = with_lines(machines.TWO_UNEQUAL_3090S, *lines)

    taken = sample(machine, "GPU-30900000-aaaa-0000-0000-000000000000", pids)

    assert taken["process_bytes"] == process_bytes


def test_a_mig_instance_is_sampled_by_its_own_uuid() -> None:
    """The instance's memory and processes are read, not those of the card."""
    taken = sample(
        machines.H100_AND_A100_WITH_MIG, "MIG-cccccccc-0000-0000-0000-000000000000", [5000777]
    )

    assert taken["used_bytes"] == 5083 * MIB
    assert taken["process_bytes"] == 5070 * MIB
    assert taken["utilization_percent"] is None


def test_a_chip_without_memory_numbers_still_gives_process_memory() -> None:
    """Card-wide use is unknown where memory is shared with the host."""
    taken = sample(machines.GB10, "GPU-10000000-0000-0000-0000-000000000000", [5003003])

    assert taken["used_bytes"] is None
    assert taken["process_bytes"] == 180 * MIB


def test_memory_that_grows_is_seen_growing() -> None:
    """Samples taken one after another follow a ramp up to its end."""
    code = f"""
import json, time
from hwdb.detect import NvmlSampler
seen, deadline = [], time.monotonic() + 20
with NvmlSampler() as sampler:
    while time.monotonic() < deadline and (not seen or seen[-1] < {41 * MIB}):
        seen.append(sampler.sample({_BUSY_3090!r}, []).used_bytes)
print(json.dumps([seen[0], len(set(seen)), seen == sorted(seen), seen[-1]]))
"""
    machine = with_lines(machines.TWO_UNEQUAL_3090S, f"gpu.1.used=ramp:{MIB}:{41 * MIB}:0.3")

    first, different, rising, last = run_python(code, fake_driver_environment(machine))

    assert first < 20 * MIB
    assert different > 10
    assert rising
    assert last == 41 * MIB


_LOSE = """
import json, os, pathlib
from hwdb.detect import GpuLost, NvmlSampler
machine = pathlib.Path(os.environ["FAKE_NVML"])
with NvmlSampler() as sampler:
    before = sampler.sample({uuid!r}, []).used_bytes
    machine.write_text({line!r} + "\\n" + machine.read_text())
    try:
        after = sampler.sample({uuid!r}, []).used_bytes
    except GpuLost as lost:
        after = str(lost)
print(json.dumps([before, after]))
"""


@pytest.mark.parametrize(
    ("line", "reason"),
    [("gpu.1.error=15", "GPU is lost"), ("gpu.1.error=16", "GPU requires restart")],
)
def test_a_gpu_lost_during_a_run_is_an_error_with_the_drivers_reason(
    line: str, reason: str
) -> None:
    """A lost GPU is not mistaken for one whose numbers are unknown."""
    code = _LOSE.format(uuid=_BUSY_3090, line=line)

    taken = run_python(code, fake_driver_environment(machines.TWO_UNEQUAL_3090S))

    assert taken == [9216 * MIB, reason]


def test_an_unknown_uuid_is_a_lost_gpu() -> None:
    """A GPU that the driver does not list any more is named in the error."""
    code = """
import json
from hwdb.detect import GpuLost, NvmlSampler
with NvmlSampler() as sampler:
    try:
        sampler.sample("GPU-gone", [])
    except GpuLost as lost:
        print(json.dumps(str(lost)))
"""

    reason = run_python(code, fake_driver_environment(machines.RTX_4090_DESKTOP))

    assert reason == "the driver has no GPU GPU-gone: Not Found"


def test_a_sampler_without_a_driver_says_why() -> None:
    """Entering raises the phrase that the survey gives."""
    code = """
import json
from hwdb.detect import NvmlSampler, NvmlUnavailable
try:
    NvmlSampler().__enter__()
except NvmlUnavailable as unavailable:
    print(json.dumps(str(unavailable)))
"""

    reason = run_python(code, fake_driver_environment(machines.DRIVER_NOT_LOADED))

    assert reason == "driver not loaded"
