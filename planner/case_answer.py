"""Answers to the cases of `tlplan estimate`, ready for JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from marshal import dumps
from typing import TYPE_CHECKING, Any, NamedTuple

from planner.budget import usable_bytes
from planner.case import is_count, request_of_case
from planner.doubt import doubt_of
from planner.memory.adapted import usual_targets
from planner.memory.estimate import (
    MemoryEstimate,
    Verdict,
    capped,
    estimate_memory,
    verdict_of,
    without_pages_beyond,
)
from planner.memory.interval import Band
from planner.request import AdapterSettings, TrainingRequest
from planner.shape import ModelShape
from planner.speed.lengths import thinned
from planner.speed.seconds import Seconds
from planner.speed.step_time import TimeEstimate, estimate_time

if TYPE_CHECKING:
    from hwdb.card import Card


FindShape = Callable[[Mapping[str, Any]], ModelShape | None]
FindCard = Callable[[str], "Card | None"]
"""None for a card that nobody knows."""


class Known(NamedTuple):
    """What a case says, read."""

    request: TrainingRequest
    shape: ModelShape | None
    gpu: str | None
    """As the case names it."""
    card: Card | None


def answer_case(
    case: Mapping[str, Any],
    find_shape: FindShape,
    find_card: FindCard,
    measure: Callable[[TrainingRequest], MemoryEstimate | None] | None = None,
) -> dict[str, Any]:
    """The answer to a case, ready for JSON.

    `measure` makes the estimate in place of the formula, None where it cannot, and only what it
    measured may have no shape. Raises RequestError, or what the three raise.
    """
    request, card = _read_case(case, find_card)
    known = _known(case, request, find_shape(case), card)
    memory = None if measure is None else measure(known.request)
    if memory is None and known.shape is None:
        known = known._replace(shape=find_shape(case))
    return _answer(case.get("id"), known, known.request, memory)


class CaseAnswers:
    """Answers many cases: those that differ only in their batch are read once."""

    def __init__(self, find_shape: FindShape, find_card: FindCard) -> None:
        self._find_shape = find_shape
        self._find_card = find_card
        self._read: dict[bytes, Known] = {}

    def answer(self, case: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a case, ready for JSON. Raises what `answer_case` raises."""
        settings = {name: case[name] for name in case if name not in _BATCH}
        rows, length = case.get("micro_batch"), case.get("sequence_tokens")
        plain = is_count(rows) and is_count(length) and case.get("lengths") is None
        # Equal bytes mean equal settings, in the same order.
        key = dumps(settings, _FORMAT) if plain else b""
        known = self._read.get(key)
        if known is not None:
            request = known.request.with_batch(micro_batch=rows, sequence_tokens=length)
            return _answer(case.get("id"), known, request, None)
        request, card = _read_case(case, self._find_card)
        known = _known(case, request, self._find_shape(case), card)
        if plain:
            if len(self._read) >= _MOST:
                self._read.clear()
            self._read[key] = known
        return _answer(case.get("id"), known, known.request, None)


_BATCH = frozenset(("id", "micro_batch", "sequence_tokens", "lengths"))
_FORMAT = 2
"""Of marshal: the last in which bytes depend on values alone."""
_MOST = 8192


def _known(
    case: Mapping[str, Any], request: TrainingRequest, shape: ModelShape | None, card: Card | None
) -> Known:
    if shape is not None and case.get("attention") is None and request.stack == "transformers":
        request = request.with_batch(attention=shape.usual_attention)
    if shape is not None and case.get("task") is None and shape.usual_task != request.task:
        request = request.with_batch(task=shape.usual_task)
    if shape is not None and shape.expert_parameters and request.adapter is not None:
        request = request.with_batch(adapter=_adapter(case, request, request.adapter, shape))
    return Known(request, shape, case.get("gpu"), card)


def _adapter(
    case: Mapping[str, Any], request: TrainingRequest, adapter: AdapterSettings, shape: ModelShape
) -> AdapterSettings:
    """With the launcher's own targets where the case is of its libraries and names none."""
    named = (case.get("adapter") or {}).get("targets") is not None
    version = request.transformers_version
    if named or request.stack != "transformers" or (version is not None and version < (5, 0)):
        return adapter
    return replace(adapter, targets=usual_targets(shape))


def _read_case(case: Mapping[str, Any], find_card: FindCard) -> tuple[TrainingRequest, Card | None]:
    request = request_of_case(case)
    gpu = case.get("gpu")
    card = None if gpu is None else find_card(gpu)
    if card is not None and not card.supports_bf16:
        request = request_of_case(case, without_bf16=True)
    return on_card(request, card), card


def on_card(request: TrainingRequest, card: Card | None) -> TrainingRequest:
    """The request on this card, whose generation decides what its libraries keep."""
    if card is None:
        return request
    return request.with_batch(compute_capability=card.compute_capability)


def _answer(
    case_id: Any, known: Known, request: TrainingRequest, memory: MemoryEstimate | None
) -> dict[str, Any]:
    shape, card = known.shape, known.card
    warnings = {}
    if memory is None:
        assert shape is not None
        memory = estimate_memory(shape, _as_planned(request))
        doubt = doubt_of(shape)
        if doubt is not None:
            warnings["warnings"] = [f"{doubt}; --trace knows every model of Transformers"]
    capacity = _capacity_bytes(card)
    memory = within_card(memory, request, card)
    verdict = verdict_of(memory.needed, capacity)
    if known.gpu is not None and capacity is None:
        verdict = verdict._replace(reason=f'hwdb knows no card "{known.gpu}", or not its memory')
    return {
        "id": case_id,
        "memory": memory_numbers(memory),
        "time": None if shape is None else time_numbers(estimate_time(shape, request, card)),
        "verdict": verdict_numbers(verdict),
        "basis": memory.basis._asdict(),
        **warnings,
    }


def _as_planned(request: TrainingRequest) -> TrainingRequest:
    """With as many of its rows' lengths as a plan's memory is estimated from."""
    if request.lengths is None:
        return request
    return request.with_batch(lengths=thinned(request.lengths))


def _capacity_bytes(card: Card | None) -> int | None:
    memory_bytes = None if card is None else card.memory_bytes
    return None if memory_bytes is None else usable_bytes(memory_bytes)


def within_card(
    memory: MemoryEstimate, request: TrainingRequest, card: Card | None
) -> MemoryEstimate:
    """The estimate on a card: what classic segments keep, and what is paged, ends at its memory."""
    capacity = _capacity_bytes(card)
    if capacity is None or request.device == "cpu":
        return memory
    memory = without_pages_beyond(memory, capacity)
    return capped(memory, capacity) if request.allocator == "classic" else memory


def memory_numbers(memory: MemoryEstimate) -> dict[str, Any]:
    """An estimate as the contract's `memory` object."""
    return {
        "allocated_bytes": band_numbers(memory.allocated),
        "reserved_bytes": band_numbers(memory.reserved),
        "device_bytes": band_numbers(memory.device),
        "needed_bytes": band_numbers(memory.needed),
        "rest_allocated_bytes": memory.rest_allocated_bytes,
        "peak_phase": memory.peak_phase,
        "parts": memory.parts._asdict(),
    }


def band_numbers(band: Band) -> dict[str, int]:
    """An interval as {"expected", "low", "high"}."""
    return {"expected": band.expected_bytes, "low": band.low_bytes, "high": band.high_bytes}


def time_numbers(time: TimeEstimate | None) -> dict[str, Any] | None:
    """A time as the contract's object, None where it is unknown."""
    if time is None:
        return None
    return {
        "step_seconds": seconds_numbers(time.step),
        "tokens_per_second": seconds_numbers(time.tokens_per_second),
        "situation": time.situation,
    }


def seconds_numbers(seconds: Seconds) -> dict[str, float]:
    """An interval as {"expected", "low", "high"}, four digits each."""
    return {name: float(f"{value:.4g}") for name, value in seconds._asdict().items()}


def verdict_numbers(verdict: Verdict) -> dict[str, Any]:
    """A verdict as the contract's object."""
    return verdict._asdict()
