"""The memory a plan is made against: a card of this machine, an imagined one, or the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from planner.request import Device
from planner.units import GIB, MIB, gib_text

if TYPE_CHECKING:
    from hwdb.card import Card
    from hwdb.detect.machine import GpuReading, HostReading

BudgetSource = Literal["nvml", "simulated", "host"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Memory that a run may take, and what the device can compute."""

    source: BudgetSource
    device: Device
    name: str
    index: int | None
    """Index of the card in this machine; None when it is imagined or the host."""
    uuid: str | None
    card_id: str | None
    """Row of hwdb; None when hwdb does not know the card."""
    total_bytes: int | None
    free_bytes: int | None
    """What a new process can take now; None when the driver cannot say."""
    driver_reserved_bytes: int | None = None
    compute_capability: tuple[int, int] | None = None
    supports_bf16: bool = True

    @property
    def summary(self) -> str:
        """The memory in words, such as "23.1 of 24.0 GiB free"."""
        if self.free_bytes is None or self.total_bytes is None:
            return "memory unknown"
        return f"{gib_text(self.free_bytes)} of {gib_text(self.total_bytes)} GiB free"


def usable_bytes(total_bytes: int) -> int:
    """What of a card's memory one process can take on an idle machine.

    The driver keeps some: 200 MiB and 0.8 % lies within 0.2 GiB of what torch reports as total
    memory on 3070 (7.79 GiB), 3090 (23.69), 4090 (23.65), A100 (39.39 and 79.15) and T4 (14.6).
    """
    return total_bytes - 200 * MIB - int(0.008 * total_bytes)


def budget_of_reading(reading: GpuReading, card: Card | None) -> Budget:
    """The budget of a GPU that was read through the driver: its free memory, not its total."""
    capability = reading.compute_capability or (card.compute_capability if card else None)
    return Budget(
        source="nvml",
        device="cuda",
        name=reading.name,
        index=reading.index,
        uuid=reading.uuid,
        card_id=card.id if card else None,
        total_bytes=reading.total_bytes,
        free_bytes=reading.free_bytes,
        driver_reserved_bytes=reading.driver_reserved_bytes,
        compute_capability=capability,
        supports_bf16=capability is None or capability >= (8, 0),
    )


def budget_of_card(card: Card) -> Budget:
    """The budget of a card from hwdb that nobody has to own."""
    return Budget(
        source="simulated",
        device="cuda",
        name=card_title(card),
        index=None,
        uuid=None,
        card_id=card.id,
        total_bytes=card.memory_bytes,
        free_bytes=None if card.memory_bytes is None else usable_bytes(card.memory_bytes),
        compute_capability=card.compute_capability,
        supports_bf16=bool(card.supports_bf16),
    )


def budget_of_gib(gib: float) -> Budget:
    """The budget of an unnamed card with that many GiB."""
    total = round(gib * GIB)
    return Budget(
        source="simulated",
        device="cuda",
        name=f"a card with {gib:g} GiB",
        index=None,
        uuid=None,
        card_id=None,
        total_bytes=total,
        free_bytes=usable_bytes(total),
    )


def budget_of_host(host: HostReading) -> Budget:
    """The budget of a machine that trains on its CPU: available host memory."""
    return Budget(
        source="host",
        device="cpu",
        name=host.cpu_name or "CPU",
        index=None,
        uuid=None,
        card_id=None,
        total_bytes=host.total_bytes,
        free_bytes=host.available_bytes,
    )


def card_title(card: Card) -> str:
    """A card's name as the driver would say it."""
    return card.nvml_names[0] if card.nvml_names else card.name
