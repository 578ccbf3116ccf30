"""Every configuration timed; memory estimated only where it decides something.

Times are a few multiplications each. Whether a configuration fits is asked for lazily and answered
exactly: memory grows with the batch, and no optimizer needs less than the paged 8-bit one, which
keeps no state on the card, so one estimate settles many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from planner.memory.once import estimate_once
from planner.request import RequestError, TrainingRequest
from planner.search.space import Structure, micro_batches
from planner.shape import ModelShape
from planner.speed.lengths import RowLengths, row_lengths
from planner.speed.step_time import TimedStep, timed_step
from planner.speed.work import Execution

if TYPE_CHECKING:
    from hwdb.card import Card
    from planner.memory.interval import Band

_FILL = 0.97
"""Of a packed row, by the best fit."""
_LIGHTEST_OPTIMIZER = "paged-adamw-8bit"


class Configuration(NamedTuple):
    """One way to run the job."""

    structure: Structure
    micro_batch: int
    accumulation: int
    packed: bool
    compiled: bool
    seconds_per_row: float
    """Of the data, so that packed and padded rows compare."""

    @property
    def request(self) -> TrainingRequest:
        """The step as the estimators take it."""
        return _at(self.structure.request, self.micro_batch, packed=self.packed)

    @property
    def runnable(self) -> bool:
        """Whether a launch takes it as it is."""
        return self.structure.runnable and not (self.packed or self.compiled)

    @property
    def words(self) -> tuple[str, ...]:
        """All settings in the order of `SETTINGS`."""
        return (
            *self.structure[:6],
            str(self.micro_batch),
            "yes" if self.packed else "no",
            "yes" if self.compiled else "no",
        )


SETTINGS = (
    *("method", "weights", "checkpointing", "loss", "attention", "optimizer"),
    *("micro_batch", "packing", "compile"),
)


class Explored:
    """Everything that can be asked about one job on one card."""

    def __init__(
        self,
        shape: ModelShape,
        configurations: Sequence[Configuration],
        capacity_bytes: int,
        micros: Sequence[int],
    ) -> None:
        self.shape, self.configurations = shape, tuple(configurations)
        self.capacity_bytes, self._micros = capacity_bytes, micros
        self._most: dict[tuple[object, ...], int] = {}
        self._needed: dict[tuple[object, ...], Band] = {}
        self.estimates = 0
        """Memory estimates so far."""

    @cached_property
    def by_time(self) -> list[Configuration]:
        """Fastest first."""
        return sorted(self.configurations, key=lambda one: one.seconds_per_row)

    def needed(self, one: Configuration) -> Band:
        """Need of a configuration; compiled or not, it is the same."""
        return self._need(one.structure, one.structure.optimizer, one.micro_batch, one.packed)

    def least(self, one: Configuration) -> Band:
        """What it needs at least, whatever its optimizer."""
        return self._need(one.structure, _LIGHTEST_OPTIMIZER, one.micro_batch, one.packed)

    def least_bytes(self, one: Configuration) -> int:
        """What no configuration of this structure, whatever optimizer and batch, gets below.

        Eager attention keeps its scores on top of what the fused kernel keeps.
        """
        structure = one.structure
        if structure.attention == "eager":
            fused = replace(structure.request, attention="sdpa")
            structure = structure._replace(attention="sdpa", request=fused)
        return self._need(structure, _LIGHTEST_OPTIMIZER, 1, packed=False).expected_bytes

    def _need(self, structure: Structure, optimizer: str, micro: int, packed: bool) -> Band:
        packed = packed or micro == 1  # a row alone has no padding
        key = (*structure[:5], optimizer, micro, packed)
        known = self._needed.get(key)
        if known is None:
            request = _at(structure.request, micro, packed=packed, optimizer=optimizer)
            self.estimates += 1
            known = self._needed[key] = estimate_once(self.shape, request).needed
        return known

    def fits(self, one: Configuration) -> bool:
        """Whether the upper end of its need fits."""
        structure = one.structure
        if one.micro_batch > self._limit(structure, _LIGHTEST_OPTIMIZER, one.packed):
            return False
        return one.micro_batch <= self._limit(structure, structure.optimizer, one.packed)

    def _limit(self, structure: Structure, optimizer: str, packed: bool) -> int:
        """The largest batch that fits, 0 for none."""
        key = (*structure[:5], optimizer, packed)
        known = self._most.get(key)
        if known is not None:
            return known
        low, high = 0, len(self._micros)
        while low < high:
            middle = (low + high) // 2
            if self._holds(structure, optimizer, self._micros[middle], packed):
                low = middle + 1
            else:
                high = middle
        most = self._micros[low - 1] if low else 0
        self._most[key] = most
        return most

    def _holds(self, structure: Structure, optimizer: str, micro: int, packed: bool) -> bool:
        try:
            needed = self._need(structure, optimizer, micro, packed)
        except RequestError:
            return False
        return needed.high_bytes <= self.capacity_bytes


def explore(
    shape: ModelShape,
    every: Sequence[Structure],
    card: Card,
    capacity_bytes: int,
    lengths: Sequence[int] | None,
    rows_a_step: int,
) -> Explored:
    """Time of every structure with every batch, packed or not, compiled or not."""
    found: list[Configuration] = []
    micros = micro_batches(rows_a_step)
    timings = _Timings(shape, card, lengths)
    for structure in every:
        for packed in (False, True):
            if packed and structure.attention == "eager":
                continue  # packed rows could see each other
            for compiled in (False, True):
                seconds = timings.of(structure, packed=packed, compiled=compiled)
                if seconds is None:
                    continue
                for micro in micros:
                    accumulation = rows_a_step // micro
                    time = seconds(micro, accumulation)
                    found.append(
                        Configuration(structure, micro, accumulation, packed, compiled, time)
                    )
    return Explored(shape, found, capacity_bytes, micros)


def _at(
    request: TrainingRequest, micro: int, *, packed: bool, optimizer: str | None = None
) -> TrainingRequest:
    optimizer = optimizer or request.optimizer
    padded = micro > 1 and not packed
    return replace(request, micro_batch=micro, padded=padded, optimizer=optimizer)


class _Timings:
    """Seconds for a row of the data, as a function of the batch."""

    def __init__(self, shape: ModelShape, card: Card, lengths: Sequence[int] | None) -> None:
        self.shape, self.card, self.lengths = shape, card, lengths

    def of(
        self, structure: Structure, *, packed: bool, compiled: bool
    ) -> Callable[[int, int], float] | None:
        request = structure.request
        timed = timed_step(self.shape, request, self.card, Execution(compiled=compiled))
        if timed is None:
            return None
        document = self._mean_tokens(request) if packed and structure.attention != "sdpa" else None

        def seconds(micro: int, accumulation: int) -> float:
            if packed:
                return self._packed(timed, request, micro, document)
            rows = self._rows(request, micro)
            step = timed.seconds.micro_step(micro * rows.padded_tokens, micro * rows.padded_squares)
            return (step + timed.seconds.optimizer / accumulation) / micro

        return seconds

    def _packed(
        self, timed: TimedStep, request: TrainingRequest, micro: int, document: float | None
    ) -> float:
        """Full rows; attention sees one document with varlen kernels, the whole row without."""
        tokens = micro * request.sequence_tokens
        seen = document or float(request.sequence_tokens)
        step = timed.seconds.micro_step(tokens, tokens * seen) + timed.seconds.optimizer
        rows = tokens * _FILL / self._mean_tokens(request)
        return step / max(1.0, rows)

    def _rows(self, request: TrainingRequest, micro: int) -> RowLengths:
        return row_lengths(self.lengths, micro_batch=micro, longest=request.sequence_tokens)

    def _mean_tokens(self, request: TrainingRequest) -> float:
        return self._rows(request, 1).real_tokens
