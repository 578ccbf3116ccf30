"""The memory to plan against: a card named with --gpu, the roomiest GPU here, or the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import hwdb
from launcher.errors import UsageError
from launcher.unknown_name import unknown_name
from planner.budget import (
    Budget,
    budget_of_card,
    budget_of_gib,
    budget_of_host,
    budget_of_reading,
)

HOST = "cpu"
"""The name that --gpu takes for no GPU at all: the host's memory."""

_SIZE_UNITS = ("gib", "gb", "g")


class Hardware(NamedTuple):
    """What a plan is judged against, and what else is in this machine."""

    budget: Budget | None
    """None: there is no card to judge against."""
    gpus: tuple[Budget, ...]
    """Every visible GPU of this machine, or the one that was named."""
    driver_version: str | None = None
    problem: str | None = None
    """Why this machine's GPUs cannot be used, as a short phrase."""


def hardware_for(named: Sequence[str], *, host_without_gpu: bool) -> Hardware:
    """The memory that the --gpu options name; without any, that of this machine.

    `host_without_gpu` takes the host's memory where no GPU can be read.
    Raises UsageError for a name that is no card and no size.
    """
    if not named:
        return _this_machine(host_without_gpu=host_without_gpu)
    if len(named) > 1:
        raise _several(named[0])
    if named[0].strip().lower() == HOST:
        return Hardware(budget=_host(), gpus=())
    budget = _named_budget(named[0])
    return Hardware(budget=budget, gpus=(budget,))


def _this_machine(*, host_without_gpu: bool) -> Hardware:
    from hwdb.detect.nvml import read_gpus

    survey = read_gpus()
    gpus = tuple(
        budget_of_reading(reading, hwdb.find_card_or_none(reading.name, reading.total_bytes))
        for reading in survey.gpus
    )
    roomiest = max(gpus, key=lambda gpu: gpu.free_bytes or 0, default=None)
    if roomiest is None and host_without_gpu:
        roomiest = _host()
    return Hardware(
        budget=roomiest,
        gpus=gpus,
        driver_version=survey.driver_version,
        problem=survey.problem,
    )


def _host() -> Budget:
    from hwdb.detect.host import read_host  # psutil: about 15 ms

    return budget_of_host(read_host())


def _named_budget(text: str) -> Budget:
    count, name = _count_and_name(text)
    if count != 1:
        raise _several(name)
    gib = _gib(name)
    if gib is not None:
        return budget_of_gib(gib)
    try:
        card = hwdb.find_card(name)
    except hwdb.NotFound as failure:
        raise unknown_name(failure) from None
    if card.vendor != "nvidia":
        raise UsageError(
            f"{card.name} is no NVIDIA card, and only those are planned for",
            "tlplan gpus WORDS looks for cards",
        )
    return budget_of_card(card)


def _count_and_name(text: str) -> tuple[int, str]:
    """Number and name of cards: 2 and "rtx-4090" of "2x rtx-4090"."""
    head, _, rest = text.strip().partition(" ")
    if head[:-1].isdigit() and head[-1] in "xX" and rest:
        return int(head[:-1]), rest.strip()
    return 1, text.strip()


def _gib(name: str) -> float | None:
    """GiB of "24GiB", None for a name. Sizes on boxes say GB and mean GiB."""
    lower = name.lower()
    unit = next((unit for unit in _SIZE_UNITS if lower.endswith(unit)), None)
    number = lower.removesuffix(unit).strip() if unit else lower
    try:
        gib = float(number)
    except ValueError:
        return None
    if unit is None:
        raise UsageError(
            f'--gpu "{name}" is neither a card nor a size with its unit',
            f"write --gpu {name}GiB for a card of that size",
            "CUDA_VISIBLE_DEVICES chooses among the GPUs of this machine",
        )
    if not 0 < gib < 100_000:
        raise UsageError(f'--gpu "{name}" is no size a card can have')
    return gib


def _several(name: str) -> UsageError:
    return UsageError(
        "planning for several GPUs is not there yet",
        f'--gpu "{name}" plans for one of them',
    )
