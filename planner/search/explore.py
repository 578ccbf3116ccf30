"""Every configuration timed; memory estimated only where it decides something.

Times are a few multiplications each. Whether a configuration fits is asked for lazily and answered
exactly: memory grows with the batch, and no optimizer needs less than the paged 8-bit one, which
keeps no state on the card, so one estimate settles many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from planner.advice.rows import safe_batchings, with_lengths
from planner.memory.estimate import estimate_memory
from planner.request import Batching, RequestError, TrainingRequest
from planner.search.space import Structure, micro_batches
from planner.search.timing import Timings
from planner.shape import ModelShape

if TYPE_CHECKING:
    from hwdb.card import Card
    from planner.memory.interval import Band

BATCHING_WORDS: dict[Batching, str] = {
    "random": "padded",
    "grouped": "grouped",
    "packed": "packed",
}
_LEAST_WIDTHS = {"nf4": 0.5, "nf4-dq": 0.5, "int8": 1.0, "fp32": 4.0}
"""Bytes of a weight, all of them quantized."""
_LIGHTEST_OPTIMIZER = "sgd"


class Configuration(NamedTuple):
    """One way to run the job."""

    structure: Structure
    micro_batch: int
    accumulation: int
    batching: Batching
    compiled: bool
    seconds_per_row: float
    """Of the data, so that packed and padded rows compare."""

    @property
    def request(self) -> TrainingRequest:
        """The step as a plan has it."""
        return replace(
            self.structure.request,
            micro_batch=self.micro_batch,
            accumulation=self.accumulation,
            batching=self.batching,
            padded=_is_padded(self.structure, self.micro_batch, packed=_packs(self)),
        )

    @property
    def runnable(self) -> bool:
        """Whether a launch takes it as it is."""
        return self.structure.runnable and not self.compiled

    @property
    def words(self) -> tuple[str, ...]:
        """All settings in the order of `SETTINGS`."""
        return (
            *self.structure[:6],
            str(self.micro_batch),
            BATCHING_WORDS[self.batching],
            "yes" if self.compiled else "no",
            *self.structure.aside,
        )


SETTINGS = (
    *("method", "weights", "checkpointing", "loss", "attention", "optimizer"),
    *("micro_batch", "batching", "compile", "sequence_tokens", "sharding"),
)


class Explored:
    """Everything that can be asked about one job on one card."""

    def __init__(
        self,
        shape: ModelShape,
        configurations: Sequence[Configuration],
        capacity_bytes: int,
        micros: Sequence[int],
        timings: Timings,
    ) -> None:
        self.shape, self.configurations = shape, tuple(configurations)
        self.capacity_bytes, self._micros = capacity_bytes, micros
        self.timings = timings
        self.lengths = timings.lengths or ()
        self._most: dict[tuple[object, ...], int] = {}
        self._needed: dict[tuple[object, ...], Band] = {}
        self._requests: dict[tuple[object, ...], TrainingRequest] = {}
        self.estimates = 0
        """Memory estimates so far."""

    @cached_property
    def by_time(self) -> list[Configuration]:
        """Fastest first."""
        return sorted(self.configurations, key=lambda one: one.seconds_per_row)

    def needed(self, one: Configuration) -> Band:
        """Need of a configuration; compiled or not, it is the same."""
        return self._need(
            one.structure, one.structure.optimizer, one.micro_batch, _packs(one),
            one.accumulation > 1,
        )  # fmt: skip

    def least(self, one: Configuration) -> Band:
        """What it needs at least, whatever its optimizer."""
        return self._need(
            one.structure, _LIGHTEST_OPTIMIZER, one.micro_batch, _packs(one),
            one.accumulation > 1,
        )  # fmt: skip

    def least_bytes(self, one: Configuration) -> int:
        """What no configuration of this structure, whatever optimizer and batch, gets below.

        Eager attention keeps its scores on top of what the fused kernel keeps.
        """
        structure = one.structure
        if structure.attention == "eager":
            fused = replace(structure.request, attention="sdpa")
            structure = structure._replace(attention="sdpa", request=fused)
        return self._need(structure, _LIGHTEST_OPTIMIZER, 1, _packs(one), False).expected_bytes

    def floor_bytes(self, structure: Structure) -> int:
        """Less than any step of it can take, without an estimate: weights and their gradients."""
        request = structure.request
        trains_all = request.method == "full" and request.trainable_layers is None
        width = _LEAST_WIDTHS.get(request.weights, 2.0)
        if trains_all and not request.steps_in_backward:
            width *= 2
        return int(width * self.shape.parameters / request.gpus)

    def _accumulates(self, structure: Structure, micro: int, packed: bool) -> bool:
        """Whether a step has several micro-batches: gradients stay while the next one runs."""
        batching: Batching = "packed" if packed else "random"
        return self.timings.accumulation(structure.request, micro, batching) > 1

    def _need(
        self, structure: Structure, optimizer: str, micro: int, packed: bool, accumulates: bool
    ) -> Band:
        key = (*structure[:5], optimizer, micro, packed, accumulates, *structure.aside)
        known = self._needed.get(key)
        if known is None:
            padded = _is_padded(structure, micro, packed=packed)
            request = self._settings(structure, optimizer, packed, padded, accumulates)
            request = with_lengths(request.with_batch(micro_batch=micro), self.lengths)
            self.estimates += 1
            known = self._needed[key] = estimate_memory(self.shape, request).needed
        return known

    def _settings(
        self, structure: Structure, optimizer: str, packed: bool, padded: bool, accumulates: bool
    ) -> TrainingRequest:
        """Made once for every batch: a settled request takes longer to make than to estimate."""
        key = (*structure[:5], optimizer, packed, accumulates, padded, *structure.aside)
        known = self._requests.get(key)
        if known is None:
            known = self._requests[key] = replace(
                structure.request,
                # That gradients are added up takes memory, how often does not.
                accumulation=2 if accumulates else 1,
                optimizer=optimizer,
                batching="packed" if packed else "random",
                padded=padded,
            )
        return known

    def fits(self, one: Configuration) -> bool:
        """Whether the upper end of its need fits."""
        structure = one.structure
        packed = _packs(one)
        if self.floor_bytes(structure) > self.capacity_bytes:
            return False
        accumulates = one.accumulation > 1
        if one.micro_batch > self._limit(structure, _LIGHTEST_OPTIMIZER, packed, accumulates):
            return False
        return one.micro_batch <= self._limit(structure, structure.optimizer, packed, accumulates)

    def _limit(self, structure: Structure, optimizer: str, packed: bool, accumulates: bool) -> int:
        """The largest batch that fits of those that accumulate, or of those that do not; 0: none.

        Need grows with the batch within each: a step of a single micro-batch keeps no gradients
        while it runs, and may need less than one of two smaller ones.
        """
        key = (*structure[:5], optimizer, packed, accumulates, *structure.aside)
        known = self._most.get(key)
        if known is not None:
            return known
        micros = [
            micro
            for micro in self._micros
            if self._accumulates(structure, micro, packed) == accumulates
        ]
        low, high = 0, len(micros)
        while low < high:
            middle = (low + high) // 2
            if self._holds(structure, optimizer, micros[middle], packed, accumulates):
                low = middle + 1
            else:
                high = middle
        most = micros[low - 1] if low else 0
        self._most[key] = most
        return most

    def _holds(
        self, structure: Structure, optimizer: str, micro: int, packed: bool, accumulates: bool
    ) -> bool:
        try:
            needed = self._need(structure, optimizer, micro, packed, accumulates)
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
    """Time of every structure with every batch, however its rows are put together, compiled or not.

    Packing is left out where rows could see each other.
    """
    micros = micro_batches(rows_a_step)
    timings = Timings(shape, card, lengths, rows_a_step)
    found: list[Configuration] = []
    for structure in every:
        for batching in safe_batchings(shape, structure.request, lengths or ()):
            if batching == "packed" and structure.attention == "eager":
                continue
            for compiled in (False, True):
                found += _timed(timings, structure, batching, compiled, micros)
    return Explored(shape, found, capacity_bytes, micros, timings)


def _timed(
    timings: Timings,
    structure: Structure,
    batching: Batching,
    compiled: bool,
    micros: Sequence[int],
) -> Iterator[Configuration]:
    seconds = timings.of(structure, batching=batching, compiled=compiled)
    if seconds is None:
        return
    for micro in micros:
        if micro == 1 and batching == "grouped":
            continue  # a row alone is filled up with nothing
        timed = seconds(micro)
        if timed is not None:
            yield Configuration(structure, micro, timed[0], batching, compiled, timed[1])


def _is_padded(structure: Structure, micro: int, *, packed: bool) -> bool:
    """Whether a batch may hold rows of unequal lengths: never where nothing is known of them."""
    return structure.request.padded and micro > 1 and not packed


def _packs(one: Configuration) -> bool:
    return one.batching == "packed"
