"""What several GPUs add to a step: bytes over the slowest link, partly hidden behind work.

FSDP and ZeRO-3 fetch the weights in each pass and scatter the gradients, DDP adds the gradients
up. Every unit costs a fixed price in each pass, and PEFT's wrap policy makes a unit of every
adapter matrix, which is why LoRA under FSDP is not cheap. ZeRO-3 fetches linear by linear in
Python hooks, one card or many: a price of the host's, which a card with much to do hides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from planner.request import TrainingRequest
from planner.speed.rates import CardRates
from planner.speed.work import Execution, Work

if TYPE_CHECKING:
    from hwdb.speed import SpeedConstants

_FABRIC_BYTES_PER_SECOND = 25e9
"""Between nodes, where nothing better is known: 200 Gbit/s."""
_HIDEABLE = 0.7
"""Share of a step's work that communication can hide behind."""


def with_communication(
    single: float,
    work: Work,
    request: TrainingRequest,
    rates: CardRates,
    constants: SpeedConstants,
    execution: Execution,
    *,
    fabric: float = _FABRIC_BYTES_PER_SECOND,
) -> float:
    """Seconds of a micro-batch on each of the GPUs, from those on a single one that keeps all."""
    gpus = request.gpus
    passes = 3 if work.recomputed_layers else 2
    if request.sharding == "zero3":
        hooks = constants.unit_seconds * passes * work.layers * work.modules
        single = float((single**4 + hooks**4) ** 0.25)
    if gpus == 1:
        return single
    traffic, units = _traffic_and_units(work, request, execution)
    here = min(gpus, execution.gpus_per_node)
    seconds = traffic * (here - 1) / here / rates.link
    nodes = max(1, gpus // execution.gpus_per_node)
    if nodes > 1:
        seconds = max(seconds, traffic * (nodes - 1) / nodes / fabric)
    exposed = max((1 - constants.overlap) * seconds, seconds - _HIDEABLE * single)
    return single * (1 + constants.contention) + exposed + constants.unit_seconds * passes * units


def _traffic_and_units(
    work: Work, request: TrainingRequest, execution: Execution
) -> tuple[float, int]:
    width = {"nf4": 0.5, "nf4-dq": 0.5, "int8": 1.0, "fp32": 4.0}.get(request.weights, 2.0)
    trained = 2.0 * work.trained_parameters
    if request.sharding in ("fsdp", "zero3"):
        weights = 0.0 if execution.whole_base else 2 * width * work.parameters
        units = work.layers if request.sharding == "fsdp" else 0
        if request.adapter is not None and not execution.whole_base and width >= 2:
            units += work.tensors
        gradients = trained if request.method == "full" else 0.0
        return weights + gradients, units
    return 2 * trained + (trained / 2 if request.sharding == "zero2" else 0.0), 0
