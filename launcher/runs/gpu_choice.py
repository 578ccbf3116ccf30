"""Which card of this machine a run gets when its plan names none."""

from __future__ import annotations

from collections.abc import Sequence

from hwdb.detect import GpuReading, read_gpus
from launcher.errors import MissingHere
from planner.run_plan import HardwareSection


def gpu_for(hardware: HardwareSection) -> str | None:
    """UUID of the card to run on, None on the CPU.

    Raises MissingHere when the plan is for a card and there is none.
    """
    if hardware.device == "cpu" or hardware.gpu_uuid is not None:
        return hardware.gpu_uuid
    survey = read_gpus()
    uuid = first_that_fits(survey.gpus, hardware.predicted_high_bytes)
    if uuid is None:
        raise MissingHere(
            f"the plan is for a GPU and this machine has none to use: {survey.problem or 'no GPU'}",
            "tlplan plan makes one for this machine",
        )
    return uuid


def first_that_fits(gpus: Sequence[GpuReading], needed_bytes: int) -> str | None:
    """The first card with that much free memory, otherwise the one with the most."""
    named = [gpu for gpu in gpus if gpu.uuid is not None]
    fitting = [gpu for gpu in named if (gpu.free_bytes or 0) >= needed_bytes]
    if fitting:
        return fitting[0].uuid
    return max(named, key=lambda gpu: gpu.free_bytes or 0).uuid if named else None
