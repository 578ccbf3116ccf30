"""Loss, attention, optimizer and weights beside the others a launch runs: the fastest, and prices.

What computes the same is chosen by time. An optimizer that rounds its state and other weights
change what is learned, so the usual ones stay and the others are priced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from planner.advice.asked import Asked
from planner.advice.rows import over_rows, with_lengths
from planner.advice.settings import attention_choice
from planner.memory.once import estimate_once
from planner.request import RequestError, TrainingRequest
from planner.shape import ModelShape
from planner.speed.step_time import estimate_time
from planner.units import GIB

if TYPE_CHECKING:
    from hwdb.card import Card

_NO_SLOWER = 0.03
"""The usual kernel stays where another saves no more time than this."""
_SAME_NUMBERS = {
    "loss": ("chunked", "torch"),
    "attention": ("sdpa", "eager"),
    "optimizer": ("adamw-fused", "adamw"),
}
_OTHER_NUMBERS = {"optimizer": ("adamw-8bit",), "weights": ("nf4",)}
"""The other that is asked for most."""
_WHAT_CHANGES = {"adamw-8bit": "but rounds its state", "nf4": "with scales in fp32"}


class Weighed(NamedTuple):
    """A step with the kernels that are fastest, and what the others would cost."""

    request: TrainingRequest
    prices: dict[str, str]
    """By setting: "torch: +1 % time, +7.0 GiB"."""


class _Cost(NamedTuple):
    seconds: float
    needed_bytes: int
    high_bytes: int


def weighed(
    shape: ModelShape,
    request: TrainingRequest,
    *,
    card: Card,
    free_bytes: int,
    lengths: Sequence[int],
    asked: Asked,
    priced: bool = True,
) -> Weighed:
    """The step with what nobody asked for chosen by time; unchanged where its time is unknown.

    What is not faster costs memory estimates to price, and is left out unless `priced`.
    """
    seconds = _seconds(shape, request, card, lengths)
    prices: dict[str, str] = {}
    if seconds is None:
        return Weighed(request, prices)
    if not priced and not _any_faster(shape, request, card, lengths, asked, seconds):
        return Weighed(request, prices)
    best = _cost(shape, request, seconds, lengths)
    for name, value in _others(_SAME_NUMBERS, request, asked, shape):
        other = _changed(request, name, value)
        time = None if other is None else _seconds(shape, other, card, lengths)
        if other is None or time is None:
            continue
        its = _cost(shape, other, time, lengths)
        saves = its.seconds < (1 - _NO_SLOWER) * best.seconds
        if saves and its.high_bytes <= free_bytes:
            prices[name] = f"{getattr(request, name)}: {_price(best, its)}"
            request, best = other, its
        else:
            prices[name] = f"{value}: {_price(its, best)}"
    for name, value in _others(_OTHER_NUMBERS, request, asked, shape):
        other = _changed(request, name, value)
        time = None if other is None else _seconds(shape, other, card, lengths)
        if other is not None and time is not None:
            its = _cost(shape, other, time, lengths)
            prices[name] = f"{value}: {_price(its, best)}, {_WHAT_CHANGES[value]}"
    return Weighed(request, prices)


def _any_faster(
    shape: ModelShape,
    request: TrainingRequest,
    card: Card,
    lengths: Sequence[int],
    asked: Asked,
    seconds: float,
) -> bool:
    """Whether one change alone saves enough; few steps have one, and times are soon told."""
    changes = (_changed(request, *one) for one in _others(_SAME_NUMBERS, request, asked, shape))
    times = (_seconds(shape, other, card, lengths) for other in changes if other is not None)
    return any(time is not None and time < (1 - _NO_SLOWER) * seconds for time in times)


def _seconds(
    shape: ModelShape, request: TrainingRequest, card: Card, lengths: Sequence[int]
) -> float | None:
    time = estimate_time(shape, over_rows(request, lengths), card)
    return None if time is None else time.step.expected


def _cost(
    shape: ModelShape, request: TrainingRequest, seconds: float, lengths: Sequence[int]
) -> _Cost:
    needed = estimate_once(shape, with_lengths(request, lengths)).needed
    return _Cost(seconds, needed.expected_bytes, needed.high_bytes)


def _others(
    table: Mapping[str, tuple[str, ...]],
    request: TrainingRequest,
    asked: Asked,
    shape: ModelShape,
) -> list[tuple[str, str]]:
    """Settings that are open, with every value they could have."""
    return [
        (name, value)
        for name, values in table.items()
        if _open(name, request, asked, shape)
        for value in values
    ]


def _open(name: str, request: TrainingRequest, asked: Asked, shape: ModelShape) -> bool:
    """Whether the user left it open and more than one value goes with the rest."""
    if getattr(asked, name) is not None:
        return False
    if name == "loss":
        return request.task == "causal-lm"
    if name == "weights":
        return request.method == "qlora"
    if name == "attention":
        return attention_choice(asked, shape).value == "sdpa" and request.batching != "packed"
    return True


def _changed(request: TrainingRequest, name: str, value: str) -> TrainingRequest | None:
    """None for the request itself, and for what does not go together."""
    if getattr(request, name) == value:
        return None
    try:
        return replace(request, **{name: value})  # type: ignore[arg-type]
    except RequestError:
        return None


def _price(other: _Cost, best: _Cost) -> str:
    percent = 100 * (other.seconds / best.seconds - 1)
    gib = (other.needed_bytes - best.needed_bytes) / GIB
    return f"{_signed(percent, 0)} % time, {_signed(gib, 1)} GiB"


def _signed(value: float, digits: int) -> str:
    return "±0" if round(value, digits) == 0 else f"{value:+.{digits}f}"
