"""launcher/runs/memory_watch.py and gpu_choice.py: a run on a card, with a scripted driver."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hwdb.detect import GpuReading
from launcher.runs.events import Event, read_events
from launcher.runs.folder import RunFolder
from launcher.runs.gpu_choice import first_that_fits
from launcher.runs.starting import start_run
from launcher.runs.state import read_state
from tests.fake_nvml import change_machine, machines, run_python, with_lines
from tests.launcher.run_samples import (
    GIB,
    ended_state,
    fake_supervision,
    sample_run,
    wait_until,
)

FakeDriver = Callable[[str], dict[str, str]]


@pytest.fixture
def machine(fake_driver: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a machine with one idle RTX 4090, which this process now has too."""
    environment = fake_driver(machines.RTX_4090_DESKTOP) | {"FAKE_WORKER": '{"hold_after": 2}'}
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


def run_on_card(path: Path) -> RunFolder:
    """A run for any card of this machine, waiting behind its second step."""
    folder = sample_run(path)
    folder.plan.write_text(folder.plan.read_text().replace("device: cpu", "device: cuda"))
    start_run(folder, settings=fake_supervision())
    wait_until((folder.path / "holding").exists)
    return folder


def memory_events(folder: RunFolder) -> list[Event]:
    return [event for event in read_events(folder.events) if event["type"] == "memory"]


def test_memory_of_a_card_is_what_the_run_added(tmp_path: Path, machine: dict[str, str]) -> None:
    """Where the driver does not name the worker, it is the card's use less that before."""
    folder = run_on_card(tmp_path / "a-lora-01")

    more = with_lines(machines.RTX_4090_DESKTOP, f"gpu.0.used={5000 * machines.MIB}")
    change_machine(machine, more)
    wait_until(lambda: memory_events(folder)[-1]["device_bytes"])
    (folder.path / "go").touch()
    ended_state(folder)

    measured = json.loads(folder.measured.read_text())["measured"]
    assert measured["peak_bytes"] == measured["device_bytes"] == (5000 - 484) * machines.MIB
    assert memory_events(folder)[-1]["approximate"] is True
    assert memory_events(folder)[-1]["card_used_bytes"] == 5000 * machines.MIB


def test_the_first_sample_names_the_card(tmp_path: Path, machine: dict[str, str]) -> None:
    """Number, name, size and power limit are told once; what changes is told every time."""
    assert machine
    folder = run_on_card(tmp_path / "a-lora-01")
    (folder.path / "go").touch()
    ended_state(folder)

    first, *others = memory_events(folder)

    assert (first["card_index"], first["card_name"]) == (0, "NVIDIA GeForce RTX 4090")
    assert first["card_total_bytes"] == 24564 * machines.MIB
    assert first["power_limit_watts"] == 450.0
    assert first["card_free_bytes"] == (24564 - 426 - 484) * machines.MIB
    assert first["host_available_bytes"] <= first["host_total_bytes"]
    assert all("card_name" not in event for event in others)


_TWO_CARDS = """
import json, os
from launcher.runs.memory_watch import GpuMeter
with GpuMeter({first!r}, {second!r}) as meter:
    print(json.dumps(meter.sample(os.getpid(), now=0.0)))
"""


def test_of_several_cards_each_is_sampled(fake_driver: FakeDriver) -> None:
    """All of them stand under `cards`; the fullest one is the sample itself."""
    first, second = (f"GPU-30900000-{each * 4}-0000-0000-000000000000" for each in "ab")
    code = _TWO_CARDS.format(first=first, second=second)

    sample = run_python(code, fake_driver(machines.TWO_UNEQUAL_3090S))

    assert [card["card_index"] for card in sample["cards"]] == [0, 1]
    assert [card["temperature_celsius"] for card in sample["cards"]] == [35, 72]
    assert sample["temperature_celsius"] in (35, 72)


def test_the_worker_sees_only_its_card(tmp_path: Path, machine: dict[str, str]) -> None:
    """It gets the card by UUID, in the order of the bus, with the planned allocator."""
    assert machine
    folder = run_on_card(tmp_path / "a-lora-01")
    wait_until(lambda: (state := read_state(folder)) is not None and state.worker_pid is not None)
    state = read_state(folder)
    assert state is not None

    environment = Path(f"/proc/{state.worker_pid}/environ").read_text().split("\0")
    (folder.path / "go").touch()
    ended_state(folder)

    assert "CUDA_VISIBLE_DEVICES=GPU-40900000-1111-2222-3333-444444444444" in environment
    assert "CUDA_DEVICE_ORDER=PCI_BUS_ID" in environment
    assert "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True" in environment


def test_a_lost_card_is_told_once_and_the_run_goes_on(
    tmp_path: Path, machine: dict[str, str]
) -> None:
    """The worker decides whether it can do without it; only the measuring stops."""
    folder = run_on_card(tmp_path / "a-lora-01")

    change_machine(machine, with_lines(machines.RTX_4090_DESKTOP, "gpu.0.error=15"))
    wait_until(lambda: _warnings(folder))
    (folder.path / "go").touch()

    assert ended_state(folder).exit_code == 0
    assert len(_warnings(folder)) == 1
    assert _warnings(folder)[0].startswith("memory of the card is not measured")


CARD = GpuReading(
    index=0,
    uuid="GPU-a",
    name="NVIDIA L4",
    bus_id=None,
    total_bytes=24 * GIB,
    free_bytes=4 * GIB,
    used_bytes=20 * GIB,
    driver_reserved_bytes=None,
    compute_capability=(8, 9),
    mig_parent_index=None,
    utilization_percent=None,
    temperature_celsius=None,
    power_watts=None,
    power_limit_watts=None,
    processes=(),
)


@pytest.mark.parametrize(("needed_gib", "expected"), [(3, "GPU-a"), (10, "GPU-b"), (90, "GPU-c")])
def test_the_first_card_that_fits_is_taken(needed_gib: int, expected: str) -> None:
    """Without one that fits, the one with the most free memory."""
    cards = [
        CARD,
        replace(CARD, uuid="GPU-b", free_bytes=20 * GIB),
        replace(CARD, uuid="GPU-c", free_bytes=22 * GIB),
        replace(CARD, uuid=None, free_bytes=80 * GIB),
    ]

    assert first_that_fits(cards, needed_gib * GIB) == expected
    assert first_that_fits([], GIB) is None


def _warnings(folder: RunFolder) -> list[str]:
    return [event["message"] for event in read_events(folder.events) if event["type"] == "warning"]
