"""The fastest step that fits, at the same rows a step; least memory among equals.

Batch, checkpointing and how rows are put together are chosen, all of which the launcher runs;
`planner.search` weighs everything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from planner.advice.rows import (
    over_rows,
    packed_accumulation,
    packed_rows,
    rows_held,
    safe_batchings,
    with_lengths,
)
from planner.memory.once import estimate_once
from planner.request import TrainingRequest
from planner.shape import ModelShape
from planner.speed.step_time import estimate_time

if TYPE_CHECKING:
    from hwdb.card import Card

_MOST_ROWS_AT_ONCE = 16
ROOM_LEFT = 0.08
"""Share of the free memory that stays free: a card that is nearly full is slow before it fails."""
_ROOM_LEFT_ON_A_HOST = 0.5
"""Other programs live there, too."""
_NO_SLOWER = 0.03
"""Less memory is taken where it costs no more time than this."""
_ORDER = ("random", "grouped", "packed")
"""Of ways that take equally long the plainest is taken."""


class Faster(NamedTuple):
    """A step with its reasons, by the name of the setting."""

    request: TrainingRequest
    reasons: dict[str, str]


class _Tried(NamedTuple):
    request: TrainingRequest
    seconds: float
    """For a row of the data."""
    needed_bytes: int


def fastest(
    shape: ModelShape,
    least: TrainingRequest,
    *,
    card: Card | None,
    free_bytes: int | None,
    lengths: Sequence[int] | None,
    packing: bool | None = None,
) -> Faster | None:
    """The fastest step that fits in place of `least`, the one that needs least memory.

    `packing` is what the user asked for, None for nothing.
    None where nothing is faster, or where the memory is unknown. Where the speed is, as of any
    CPU, activations are kept if they fit: to compute them once is never slower.
    """
    if free_bytes is None:
        return None
    if estimate_time(shape, least, card) is None:
        return _without_checkpoints(shape, least, free_bytes, lengths or ())
    allowed = round(free_bytes * (1 - ROOM_LEFT))
    measured = []
    for request in _steps(shape, least, lengths or (), packing):
        needed = estimate_once(shape, with_lengths(request, lengths or ())).needed
        if request == least or needed.high_bytes <= allowed:
            seconds = _seconds(shape, request, card, lengths)
            measured.append(_Tried(request, seconds, needed.expected_bytes))
    if not measured:
        return None
    best = min(tried.seconds for tried in measured)
    equals = [tried for tried in measured if tried.seconds <= best * (1 + _NO_SLOWER)]
    chosen = min(
        equals,
        key=lambda tried: (
            _ORDER.index(tried.request.batching),
            tried.needed_bytes,
            tried.seconds,
        ),
    )
    if chosen.request == least:
        return None
    return Faster(chosen.request, _reasons(least, chosen, measured))


def _without_checkpoints(
    shape: ModelShape, least: TrainingRequest, free_bytes: int, lengths: Sequence[int]
) -> Faster | None:
    request = replace(least, checkpointing="none")
    room_left = _ROOM_LEFT_ON_A_HOST if least.device == "cpu" else ROOM_LEFT
    needed = estimate_once(shape, with_lengths(request, lengths)).needed
    if request == least or needed.high_bytes > round(free_bytes * (1 - room_left)):
        return None
    return Faster(request, {"checkpointing": "it fits with all activations kept: computed once"})


def _steps(
    shape: ModelShape, least: TrainingRequest, lengths: Sequence[int], packing: bool | None
) -> Iterator[TrainingRequest]:
    """Steps over the same rows, with other batches and with or without checkpoints."""
    rows = round(least.micro_batch * least.accumulation * rows_held(least, lengths))
    for batching in safe_batchings(shape, least, lengths):
        if packing is not None and packing != (batching == "packed"):
            continue
        for micro in range(1, min(rows, _MOST_ROWS_AT_ONCE) + 1):
            if rows % micro or (micro == 1 and batching == "grouped"):
                continue
            accumulation: int | None = rows // micro
            if batching == "packed":
                held = packed_rows(least, lengths).held
                accumulation = packed_accumulation(rows, micro, held)
            if accumulation is None:
                continue
            for checkpointing in ("full", "none"):
                yield replace(
                    least,
                    micro_batch=micro,
                    accumulation=accumulation,
                    checkpointing=checkpointing,
                    batching=batching,
                    padded=bool(lengths) and micro > 1 and batching != "packed",
                )


def _seconds(
    shape: ModelShape, request: TrainingRequest, card: Card | None, lengths: Sequence[int] | None
) -> float:
    time = estimate_time(shape, over_rows(request, lengths or ()), card)
    assert time is not None
    rows = request.micro_batch * request.accumulation * rows_held(request, lengths or ())
    return time.step.expected / rows


def _reasons(least: TrainingRequest, chosen: _Tried, measured: Sequence[_Tried]) -> dict[str, str]:
    """What each setting that differs from `least` is worth, all else as chosen."""
    reasons = {}
    request = chosen.request
    if request.checkpointing != least.checkpointing:
        saved = _saved(chosen, measured, checkpointing=least.checkpointing)
        reasons["checkpointing"] = f"it fits with all activations kept: {saved}"
    if request.batching != least.batching:
        reasons["batching"] = _saved_by_batching(chosen, measured)
    if (request.micro_batch, request.accumulation) != (least.micro_batch, least.accumulation):
        saved = _saved(chosen, measured, micro_batch=least.micro_batch)
        reasons["micro_batch"] = f"fastest that fits: {saved} than {least.micro_batch} at once"
        if request.micro_batch == least.micro_batch:
            reasons["micro_batch"] = "fastest that fits"
        rows = least.micro_batch * least.accumulation
        about = "about " if request.batching == "packed" else ""
        reasons["accumulation"] = f"{about}{rows} rows a step, whatever fits at once"
    return reasons


def _saved_by_batching(chosen: _Tried, measured: Sequence[_Tried]) -> str:
    """Against the fastest step with rows as they come."""
    plain = min(
        (tried for tried in measured if tried.request.batching == "random"),
        key=lambda tried: tried.seconds,
        default=None,
    )
    if plain is None:
        return "it fits, and rows as they come do not"
    return f"{round(100 * (1 - chosen.seconds / plain.seconds))} % less time than padded rows"


def _saved(chosen: _Tried, measured: Sequence[_Tried], **other: object) -> str:
    for tried in measured:
        kept = all(getattr(tried.request, name) == value for name, value in other.items())
        names = {"checkpointing", "micro_batch", "batching"} - set(other)
        if tried.request.micro_batch == 1:
            names -= {"batching"}  # a row alone is grouped with nothing
        same = all(getattr(tried.request, n) == getattr(chosen.request, n) for n in names)
        if kept and same:
            return f"{round(100 * (1 - chosen.seconds / tried.seconds))} % less time"
    return "less time"
