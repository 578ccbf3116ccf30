"""What can be trained on here: every GPU of this machine and its CPU, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import hwdb
from hwdb.detect.machine import GpuReading, HostReading
from hwdb.detect.nvml_survey import GpuSurvey
from planner.budget import Budget, budget_of_host, budget_of_reading

State = Literal["ready", "in use", "full", "unknown", "lost", "simulated"]
"""unknown: the driver tells no memory; lost: it tells nothing any more."""

_HELD_BY_A_DESKTOP = 0.1
"""Share of a card that a desktop and its browser take; beyond it somebody computes."""
_ALMOST_NOTHING = 0.04


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One row of the first step."""

    budget: Budget
    reading: GpuReading | None
    """None for the CPU and for a card that is not here."""
    state: State
    visible_device: str | None
    """What CUDA_VISIBLE_DEVICES would have to say for the commands to take it; None: nothing."""
    gpu_argument: str | None = None

    @property
    def key(self) -> str:
        """What it is known by when it is read again."""
        return self.budget.uuid or f"{self.budget.source} {self.budget.index}"


def places(survey: GpuSurvey, host: HostReading) -> tuple[Place, ...]:
    """The GPUs in the driver's order, then the CPU."""
    budgets = [
        budget_of_reading(reading, hwdb.find_card_or_none(reading.name, reading.total_bytes))
        for reading in survey.gpus
    ]
    taken = max(budgets, key=lambda budget: budget.free_bytes or 0, default=None)
    found = [
        Place(
            budget=budget,
            reading=reading,
            state=state_of(reading),
            visible_device=None if budget is taken else reading.uuid,
        )
        for reading, budget in zip(survey.gpus, budgets, strict=True)
    ]
    cpu = Place(
        budget=budget_of_host(host),
        reading=None,
        state="ready",
        visible_device=None,
        gpu_argument="cpu" if found else None,
    )
    return (*found, cpu)


def simulated_place(budget: Budget, gpu_argument: str | None) -> Place:
    """A card that is not in this machine, as a row beside those that are."""
    return Place(
        budget=budget,
        reading=None,
        state="simulated",
        visible_device=None,
        gpu_argument=gpu_argument,
    )


def state_of(reading: GpuReading) -> State:
    """What a person has to know of a card in a word or two."""
    total, free = reading.total_bytes, reading.free_bytes
    if total is None or free is None:
        known = (reading.utilization_percent, reading.temperature_celsius, reading.power_watts)
        return "unknown" if any(each is not None for each in known) else "lost"
    if free < _ALMOST_NOTHING * total:
        return "full"
    held = total - free - (reading.driver_reserved_bytes or 0)
    return "in use" if held > _HELD_BY_A_DESKTOP * total else "ready"


def default_row(found: tuple[Place, ...]) -> int:
    """The row to begin on: the card with most free memory, else the CPU."""
    return max(range(len(found)), key=lambda row: _preference(found[row]))


def _preference(place: Place) -> tuple[bool, int]:
    return place.reading is not None, place.budget.free_bytes or 0
