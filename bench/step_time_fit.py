"""Learning the constants of the step-time model: robust least squares on log(predicted/measured).

A source weighs like twelve runs on a card, whatever its size, and every constant is held to its
prior, so that no constant follows a single run.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from bench.step_time_reading import MeasuredStep
from hwdb.speed import SpeedConstants
from planner.speed.lengths import row_lengths
from planner.speed.rates import rates_of
from planner.speed.seconds import step_seconds_of
from planner.speed.sharding import with_communication
from planner.speed.step_time import timed_with
from planner.speed.work import Work, work_of

PRIORS = {
    "matmul": (0.85, 0.25),
    "attention": (0.55, 0.3),
    "attention_of_2023": (0.35, 0.5),
    "bandwidth": (0.8, 0.15),
    "adapter": (1.0, 0.4),
    "unpacking": (0.27, 0.15),
    "unpacking_gptq": (0.1, 1.0),
    "kernel_seconds": (10e-6, 0.6),
    "fp8": (1.3, 0.3),
}
"""Constant -> where it starts and how far, in log, it may wander."""

_CARD_SD = 0.2
_RESIDUAL_SD = 0.08
_RUNS_A_SOURCE = 12.0
_REFERENCE_CARDS = ("a100-sxm4-80gb", "a100-sxm4-40gb")
"""Their measured matrix multiplication is the ceiling; the constants rest on them."""

_works: dict[str, Work] = {}


def predicted(step: MeasuredStep, constants: SpeedConstants) -> float:
    """Seconds of the micro-batch of a measured run."""
    work = _works.get(step.ident)
    if work is None:
        work = _works[step.ident] = work_of(step.shape, step.request, step.execution)
    rates = rates_of(step.card, constants)
    assert rates is not None
    seconds = step_seconds_of(work, rates, constants, step.execution)
    assert seconds is not None
    attended = step.execution.document_tokens or step.row_tokens
    accumulated = step.request.accumulation > 1
    single = seconds.micro_step(step.tokens, step.tokens * attended, accumulated=accumulated)
    single += seconds.optimizer / step.request.accumulation
    return with_communication(
        single, work, step.request, rates, constants, step.execution, fabric=step.fabric
    )


def situation_of(step: MeasuredStep, constants: SpeedConstants) -> str:
    """The interval a user would be shown for this run."""
    timed = timed_with(step.shape, step.request, step.card, step.execution, constants)
    assert timed is not None
    rows = row_lengths(None, micro_batch=1, longest=round(step.row_tokens))
    return timed.situation(step.request, rows)


def learn(steps: Sequence[MeasuredStep], start: SpeedConstants) -> SpeedConstants:
    """The constants that fit these runs best, near their priors."""
    counts = Counter((step.source, step.card.id) for step in steps)
    weights = np.sqrt(
        [min(1.0, _RUNS_A_SOURCE / counts[step.source, step.card.id]) for step in steps]
    )
    cards = sorted({step.card.id for step in steps} - set(_REFERENCE_CARDS))
    spread = np.array([sd for _, sd in PRIORS.values()] + [_CARD_SD] * len(cards))

    def residuals(theta: Any) -> Any:
        constants = _constants(theta, cards, start)
        errors = [math.log(predicted(step, constants) / step.seconds) for step in steps]
        return np.concatenate([weights * np.array(errors) / _RESIDUAL_SD, theta / spread])

    found = least_squares(residuals, np.zeros(len(spread)), loss="soft_l1", max_nfev=40)
    return _constants(found.x, cards, start)


def _constants(theta: Any, cards: Sequence[str], start: SpeedConstants) -> SpeedConstants:
    values = {
        name: prior * math.exp(moved)
        for (name, (prior, _)), moved in zip(PRIORS.items(), theta, strict=False)
    }
    factors = dict.fromkeys(_REFERENCE_CARDS, 1.0)
    for card, moved in zip(cards, theta[len(PRIORS) :], strict=True):
        factors[card] = math.exp(moved)
    return start._replace(**values, card_factors=factors)
