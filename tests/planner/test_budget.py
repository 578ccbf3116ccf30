"""The memory a plan is made against."""

from __future__ import annotations

import pytest

import hwdb
from hwdb.detect.machine import GpuReading, HostReading
from planner.budget import (
    budget_of_card,
    budget_of_gib,
    budget_of_host,
    budget_of_reading,
    usable_bytes,
)
from planner.units import GIB, MIB


def _reading(**changes: object) -> GpuReading:
    usual: dict[str, object] = {
        "index": 1,
        "uuid": "GPU-1",
        "name": "NVIDIA GeForce RTX 4090",
        "bus_id": None,
        "total_bytes": 24 * GIB,
        "free_bytes": 20 * GIB,
        "used_bytes": 4 * GIB,
        "driver_reserved_bytes": None,
        "compute_capability": (8, 9),
        "mig_parent_index": None,
        "utilization_percent": None,
        "temperature_celsius": None,
        "power_watts": None,
        "power_limit_watts": None,
        "processes": (),
    }
    return GpuReading(**{**usual, **changes})  # type: ignore[arg-type]


def test_a_real_card_offers_what_is_free() -> None:
    """Memory that others hold is not counted on."""
    budget = budget_of_reading(_reading(), None)

    assert budget.source == "nvml"
    assert budget.free_bytes == 20 * GIB
    assert (budget.index, budget.uuid) == (1, "GPU-1")
    assert budget.summary == "20.0 of 24.0 GiB free"


def test_a_card_that_keeps_its_memory_to_itself_stays_unknown() -> None:
    """Unknown is not zero."""
    budget = budget_of_reading(_reading(free_bytes=None, total_bytes=None), None)

    assert budget.free_bytes is None
    assert budget.summary == "memory unknown"


@pytest.mark.parametrize(
    ("capability", "supported"), [((7, 5), False), ((8, 0), True), ((8, 9), True)]
)
def test_bf16_needs_ampere(capability: tuple[int, int], *, supported: bool) -> None:
    """Turing and older have none."""
    budget = budget_of_reading(_reading(compute_capability=capability), None)

    assert budget.supports_bf16 is supported


def test_hwdb_knows_what_the_driver_does_not_say() -> None:
    """A row stands in for a compute capability the driver leaves out."""
    card = hwdb.find_card("t4")

    budget = budget_of_reading(_reading(compute_capability=None), card)

    assert budget.compute_capability == (7, 5)
    assert not budget.supports_bf16
    assert budget.card_id == card.id


@pytest.mark.parametrize(
    ("card", "torch_gib"), [("rtx-3090", 23.69), ("rtx-4090", 23.65), ("a100-sxm4-80gb", 79.15)]
)
def test_the_driver_keeps_a_little(card: str, torch_gib: float) -> None:
    """Usable memory is within 0.2 GiB of what torch reports as total on that card."""
    budget = budget_of_card(hwdb.find_card(card))

    assert budget.source == "simulated"
    assert budget.free_bytes is not None
    assert budget.free_bytes / GIB == pytest.approx(torch_gib, abs=0.2)


def test_a_size_alone_is_a_card() -> None:
    """--gpu 12 asks about any card with that much."""
    budget = budget_of_gib(12)

    assert budget.name == "a card with 12 GiB"
    assert budget.total_bytes == 12 * GIB
    assert budget.free_bytes == usable_bytes(12 * GIB)
    assert usable_bytes(12 * GIB) == 12 * GIB - 200 * MIB - int(0.008 * 12 * GIB)


def test_the_host_offers_its_available_memory() -> None:
    """Without a GPU the CPU trains, in what is available now."""
    host = HostReading(
        total_bytes=16 * GIB,
        available_bytes=9 * GIB,
        cpu_cores=2,
        cpu_name=None,
        swap_bytes=None,
        operating_system="Linux",
    )

    budget = budget_of_host(host)

    assert (budget.source, budget.device, budget.name) == ("host", "cpu", "CPU")
    assert budget.free_bytes == 9 * GIB
