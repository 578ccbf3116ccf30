"""The fastest batch and checkpointing that fit, at the same rows a step; least memory among equals.

Only what the launcher runs is chosen from; `planner.search` weighs everything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from planner.memory.once import estimate_once
from planner.request import TrainingRequest
from planner.shape import ModelShape
from planner.speed.step_time import estimate_time

if TYPE_CHECKING:
    from hwdb.card import Card

_MOST_ROWS_AT_ONCE = 16
_ROOM_LEFT = 0.08
"""Share of the free memory that stays free: a card that is nearly full is slow before it fails."""
_NO_SLOWER = 0.03
"""Less memory is taken where it costs no more time than this."""


class Faster(NamedTuple):
    """A step with its reasons, by the name of the setting."""

    request: TrainingRequest
    reasons: dict[str, str]


class _Tried(NamedTuple):
    request: TrainingRequest
    seconds: float
    needed_bytes: int


def fastest(
    shape: ModelShape,
    least: TrainingRequest,
    *,
    card: Card | None,
    free_bytes: int | None,
    lengths: Sequence[int] | None,
) -> Faster | None:
    """The fastest step that fits in place of `least`, the one that needs least memory.

    None where nothing is faster, or where the card's speed or memory is unknown.
    """
    if free_bytes is None or estimate_time(shape, least, card) is None:
        return None
    allowed = round(free_bytes * (1 - _ROOM_LEFT))
    measured = [
        _Tried(
            request,
            _seconds(shape, request, card, lengths),
            estimate_once(shape, request).needed.expected_bytes,
        )
        for request in _steps(least, unequal=lengths is not None)
        if request == least or estimate_once(shape, request).needed.high_bytes <= allowed
    ]
    best = min(tried.seconds for tried in measured)
    equals = [tried for tried in measured if tried.seconds <= best * (1 + _NO_SLOWER)]
    chosen = min(equals, key=lambda tried: (tried.needed_bytes, tried.seconds))
    if chosen.request == least:
        return None
    return Faster(chosen.request, _reasons(least, chosen, measured))


def _steps(least: TrainingRequest, *, unequal: bool) -> Iterator[TrainingRequest]:
    """Steps over the same rows, with other batches and with or without checkpoints."""
    rows = least.micro_batch * least.accumulation
    for micro in range(1, min(rows, _MOST_ROWS_AT_ONCE) + 1):
        if rows % micro:
            continue
        for checkpointing in ("full", "none"):
            yield replace(
                least,
                micro_batch=micro,
                accumulation=rows // micro,
                checkpointing=checkpointing,
                padded=unequal and micro > 1,
            )


def _seconds(
    shape: ModelShape, request: TrainingRequest, card: Card | None, lengths: Sequence[int] | None
) -> float:
    known = replace(request, lengths=tuple(lengths)) if lengths else request
    time = estimate_time(shape, known, card)
    assert time is not None
    return time.step.expected


def _reasons(least: TrainingRequest, chosen: _Tried, measured: Sequence[_Tried]) -> dict[str, str]:
    """What each setting that differs from `least` is worth, all else as chosen."""
    reasons = {}
    request = chosen.request
    if request.checkpointing != least.checkpointing:
        saved = _saved(chosen, measured, checkpointing=least.checkpointing)
        reasons["checkpointing"] = f"it fits with all activations kept: {saved}"
    if request.micro_batch != least.micro_batch:
        saved = _saved(chosen, measured, micro_batch=least.micro_batch)
        reasons["micro_batch"] = f"fastest that fits: {saved} than {least.micro_batch} at once"
        rows = request.micro_batch * request.accumulation
        reasons["accumulation"] = f"{rows} rows a step, whatever fits at once"
    return reasons


def _saved(chosen: _Tried, measured: Sequence[_Tried], **other: object) -> str:
    for tried in measured:
        kept = all(getattr(tried.request, name) == value for name, value in other.items())
        names = {"checkpointing", "micro_batch"} - set(other)
        same = all(getattr(tried.request, n) == getattr(chosen.request, n) for n in names)
        if kept and same:
            return f"{round(100 * (1 - chosen.seconds / tried.seconds))} % less time"
    return "less time"
