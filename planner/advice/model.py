"""Which model to begin with on a memory, where nobody has named one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from planner.memory.estimate import Fits

_LARGEST = 15_000_000_000
"""Beyond this a first run takes hours on any single card."""
_LARGEST_ON_CPU = 200_000_000
"""Beyond this a first run takes hours on a CPU."""
_LARGEST_CLASSIFIER = 200_000_000
"""Beyond this an encoder or an image model gains little and takes a multiple of the time."""
_LARGEST_CLASSIFIER_ON_CPU = 100_000_000
_AS_LARGE = 0.5
"""A newer model is preferred to one at most twice its size."""


class Candidate(NamedTuple):
    """What decides between models."""

    id: str
    parameters: int
    release_date: str
    gated: bool
    has_instruct: bool
    lora_fits: Fits | None


def suggested_model(candidates: Sequence[Candidate], *, on_cpu: bool) -> str | None:
    """The newest of the largest open instruct models whose LoRA surely fits; None if none does.

    Open, because a licence to be accepted first is a bad first step.
    """
    most = _LARGEST_ON_CPU if on_cpu else _LARGEST
    able = [
        each
        for each in candidates
        if each.lora_fits == "yes" and each.has_instruct and not each.gated
        if each.parameters <= most
    ]
    if not able:
        return None
    largest = max(each.parameters for each in able)
    close = [each for each in able if each.parameters >= _AS_LARGE * largest]
    return max(close, key=lambda each: (each.release_date, each.parameters, each.id)).id


def suggested_classifier(candidates: Sequence[Candidate], *, on_cpu: bool) -> str | None:
    """The newest open encoder or image model of a usual size that surely fits; None if none."""
    most = _LARGEST_CLASSIFIER_ON_CPU if on_cpu else _LARGEST_CLASSIFIER
    able = [
        each
        for each in candidates
        if each.lora_fits == "yes" and not each.gated and each.parameters <= most
    ]
    if not able:
        return None
    return max(able, key=lambda each: (each.release_date, each.parameters, each.id)).id
