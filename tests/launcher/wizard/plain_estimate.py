"""A stand-in for the estimator in tests of what a screen looks like.

Its numbers have the size and the trends of real ones and never change; whether the real ones are
right is held by the tests of the planner.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import TYPE_CHECKING

import hwdb
from launcher.prices import Prices
from launcher.wizard import price
from planner.memory.estimate import MemoryEstimate, Parts
from planner.memory.interval import Band, Basis
from planner.request import TrainingRequest
from planner.shape import ModelShape
from planner.speed.hours import RunLoop, RunTime
from planner.speed.seconds import Seconds

if TYPE_CHECKING:
    import pytest

_BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "int8": 1.05, "nf4": 0.6, "nf4-dq": 0.56}
_USERS = (
    *("planner.method_answer", "planner.memory.once"),
    *("planner.advice.fastest", "planner.advice.kernels", "planner.advice.unequal"),
)


def plain_estimate(shape: ModelShape, request: TrainingRequest) -> MemoryEstimate:
    """A peak as a sum of plain terms."""
    weights = int(shape.parameters * _BYTES[request.weights])
    rank = request.adapter.rank if request.adapter else 0
    adapters = 14 * shape.layers * shape.hidden_size * 2 * rank * 4
    trained = adapters // 4 if rank else shape.parameters
    tokens = request.micro_batch * request.sequence_tokens
    kept = 2 if request.checkpointing == "full" else 34
    parts = Parts(
        weights_bytes=weights,
        adapters_bytes=adapters,
        gradients_bytes=trained * 2,
        optimizer_bytes=trained * 8,
        activations_bytes=kept * tokens * shape.layers * shape.hidden_size,
        logits_bytes=tokens * shape.vocabulary_size,
        temporaries_bytes=16 * tokens * shape.hidden_size,
        runtime_bytes=500_000_000,
    )
    total = parts.total_bytes
    band = Band(total, int(0.96 * total), int(1.05 * total))
    return MemoryEstimate(
        allocated=band,
        reserved=band,
        needed=band,
        device=band,
        rest_allocated_bytes=weights,
        peak_phase="backward",
        peak_where="the last block",
        trained_parameters=trained,
        parts=parts,
        basis=Basis(tier="formula", runs=59, median_error_fraction=0.012),
    )


def plain_prices(_file: str | None) -> Prices:
    """One offer for the card of the goldens."""
    offer = hwdb.Offer(
        provider="somewhere",
        card_id="rtx-4090",
        gpus=1,
        instance="rtx-4090",
        vcpus=None,
        ram_gib=None,
        on_demand_usd_per_hour=0.5,
        spot_usd_per_hour=None,
        on_demand_usd_per_gpu_hour=0.5,
        region="anywhere",
        as_of="2026-11",
        as_of_inferred=False,
        source="a test",
        notes=None,
    )
    return Prices((offer,), "a test")


def plain_hours(
    _shape: ModelShape,
    request: TrainingRequest,
    card: hwdb.Card | None,
    loop: RunLoop,
    execution: object = None,
    correction: object = None,
) -> RunTime | None:
    """Steps of a twentieth of a second for a row, and a minute for all else."""
    del execution, correction
    if card is None:
        return None
    step, rest = (
        Seconds(seconds, 0.7 * seconds, 1.5 * seconds)
        for seconds in (0.05 * request.micro_batch * request.accumulation, 15.0)
    )
    return RunTime(
        step=step,
        training=step.scaled(loop.steps),
        evaluation=rest,
        comparison=rest,
        saving=rest,
        starting=rest,
        download=rest,
        situation="measured",
    )


def use_plain_estimate(patch: pytest.MonkeyPatch) -> None:
    """Let every plan of this test be made with the stand-in."""
    # Imported before anything is replaced: a name bound to the stand-in would outlive the test.
    for module in (*_USERS, "planner.market.job"):
        importlib.import_module(module)
    for module in _USERS:
        patch.setattr(f"{module}.estimate_once", plain_estimate)
    patch.setattr("planner.expected.estimate_hours", plain_hours)
    patch.setattr("launcher.prices.prices_from", plain_prices)
    patch.setattr("launcher.prices.is_old", lambda _: False)
    # A memory of its own: offers of the stand-in must not outlive the test.
    offers_of = lru_cache(maxsize=8)(price._offers_of.__wrapped__)
    patch.setattr("launcher.wizard.price._offers_of", offers_of)
    patch.setattr("planner.advice.growth.estimate_memory", plain_estimate)
