"""The time of a step: seconds and tokens a second with their interval, or None where unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from hwdb.load import speed_constants
from planner.memory.stacks.loops import is_compiled
from planner.request import TrainingRequest
from planner.shape import ModelShape
from planner.speed.lengths import RowLengths, row_lengths
from planner.speed.rates import CardRates, rates_of
from planner.speed.seconds import Seconds, StepSeconds, step_seconds_of
from planner.speed.sharding import with_communication
from planner.speed.work import PLAIN, Execution, Work, work_of

if TYPE_CHECKING:
    from hwdb.card import Card
    from hwdb.speed import SpeedConstants


class TimeEstimate(NamedTuple):
    """Time of one optimizer step on one card, all its micro-batches together."""

    step: Seconds
    tokens_per_second: Seconds
    """Tokens of the rows themselves, padding left out, over all GPUs."""
    situation: Situation
    """How much is known of the card and the settings; it decides the interval."""
    runs: int = 0
    """Runs of this machine that corrected it."""


Situation = Literal["here", "measured", "family", "rule", "rough"]
"""here: runs on this machine corrected it; the others before any did.

measured: runs on this card were learned from; family: its matrix multiplication was measured;
rule: power and specification alone; rough: settings that no measured run covers well."""


def estimate_time(
    shape: ModelShape,
    request: TrainingRequest,
    card: Card | None,
    execution: Execution = PLAIN,
) -> TimeEstimate | None:
    """Time of one step of `request` on a model of this shape.

    None where the card or its rate is unknown, on the CPU, and for software stacks that no
    measured run with known lengths covers.
    """
    if card is None or request.device != "cuda" or request.stack not in _KNOWN_STACKS:
        return None
    if is_compiled(request):
        execution = execution._replace(compiled=True)
    timed = timed_step(shape, request, card, execution)
    return None if timed is None else timed.estimate(request, execution)


_KNOWN_STACKS = ("transformers", "torchtune", "unsloth")

_LEAST_FILLED = 0.28
"""Share of a cap that rows known to be unequal fill at least: 0.28 to 0.68 in published runs whose
cap alone is stated."""

_HOST_RULES = 0.35
"""Share of the host in a pass above which the host's own speed, which is unknown, decides."""


class TimedStep(NamedTuple):
    """The coefficients of a kind of step on a card, for any batch and length."""

    work: Work
    rates: CardRates
    seconds: StepSeconds
    constants: SpeedConstants
    rough: bool

    def estimate(self, request: TrainingRequest, execution: Execution) -> TimeEstimate:
        """The time of a step with this request's batch, lengths and accumulation."""
        rows = rows_of(request)
        micro = self.micro_batch(request, execution, rows)
        expected = request.accumulation * micro + self.seconds.optimizer
        situation = self.situation(request, rows)
        low, high = self.constants.intervals[situation]
        if request.lengths_vary and request.lengths is None:
            low *= _LEAST_FILLED
        tokens = request.micro_batch * request.accumulation * rows.real_tokens * request.gpus
        return TimeEstimate(
            step=Seconds(expected, expected * low, expected * high),
            tokens_per_second=Seconds(
                tokens / expected, tokens / (expected * high), tokens / (expected * low)
            ),
            situation=situation,
        )

    def micro_batch(
        self, request: TrainingRequest, execution: Execution, rows: RowLengths
    ) -> float:
        """Seconds of a micro-batch, communication included, without the optimizer's step."""
        tokens = request.micro_batch * rows.padded_tokens
        scores = request.micro_batch * rows.padded_squares
        if execution.document_tokens is not None:
            scores = tokens * min(execution.document_tokens, rows.padded_tokens)
        single = self.seconds.micro_step(tokens, scores, accumulated=request.accumulation > 1)
        if request.gpus == 1 and request.sharding != "zero3":
            return single
        return with_communication(single, self.work, request, self.rates, self.constants, execution)

    def situation(self, request: TrainingRequest, rows: RowLengths) -> Situation:
        """How much is known; see `Situation`."""
        tokens = request.micro_batch * rows.padded_tokens
        scores = request.micro_batch * rows.padded_squares
        if self.rough or self.seconds.host_share(tokens, scores) > _HOST_RULES:
            return "rough"
        return self.rates.known


def rows_of(request: TrainingRequest) -> RowLengths:
    """How long the rows of this request's micro-batches are."""
    return row_lengths(
        request.lengths,
        micro_batch=request.micro_batch,
        longest=request.sequence_tokens,
        batching=request.batching,
        sees_all=request.attention == "sdpa",
    )


def timed_step(
    shape: ModelShape, request: TrainingRequest, card: Card, execution: Execution = PLAIN
) -> TimedStep | None:
    """The coefficients of this kind of step, kept for the next request of the kind.

    None where the card's rate for it is unknown.
    """
    kind = (
        execution, request.method, request.task, request.trainable_layers, request.adapter,
        request.weights, request.autocast, request.kbit_prepare, request.optimizer,
        request.checkpointing, request.attention, request.loss, request.stack, request.sharding,
        request.gpus, request.masked, request.runs_today, request.transformers_version is None,
    )  # fmt: skip
    known = _of_shape(shape)
    key = (card.id, kind)
    if key not in known.timed:
        if len(known.timed) >= _MOST_KINDS:
            known.timed.clear()
            known.works.clear()
        work = known.works.get(kind)  # the same on every card
        if work is None:
            work = known.works[kind] = work_of(shape, request, execution)
        constants = _constants_for(request)
        known.timed[key] = timed_with(shape, request, card, execution, constants, work)
    return known.timed[key]


def _constants_for(request: TrainingRequest) -> SpeedConstants:
    """Today's Transformers and PEFT keep the host longer for a kernel than those of 2024."""
    constants = speed_constants()
    if not request.runs_today:
        return constants
    return constants._replace(kernel_seconds=constants.kernel_seconds_now)


def timed_with(
    shape: ModelShape,
    request: TrainingRequest,
    card: Card,
    execution: Execution,
    constants: SpeedConstants,
    work: Work | None = None,
) -> TimedStep | None:
    """The coefficients under given constants; `work` is that of the request, where it is known."""
    rates = rates_of(card, constants)
    if rates is None:
        return None
    work = work or work_of(shape, request, execution)
    seconds = step_seconds_of(work, rates, constants, execution)
    if seconds is None:
        return None
    rough = (
        work.mixture
        or shape.family.kind != "decoder"
        or not shape.recognized
        or request.weights == "int8"
        or (request.adapter is not None and request.adapter.kind == "dora")
        or request.checkpointing == "offloaded"
        or request.stack == "unsloth"
        or request.sharding == "zero3"
        or (request.gpus > 1 and card.nvlink_bytes_per_second in (None, 0))
    )
    return TimedStep(work, rates, seconds, constants, rough)


class _OfShape(NamedTuple):
    """What is known of this very shape; it is kept, so that no other can take its place."""

    shape: ModelShape
    timed: dict[object, TimedStep | None]
    works: dict[object, Work]


def _of_shape(shape: ModelShape) -> _OfShape:
    found = _shapes.get(id(shape))
    if found is None:
        if len(_shapes) >= _MOST_SHAPES:
            _shapes.clear()
        found = _shapes[id(shape)] = _OfShape(shape, {}, {})
    return found


_MOST_SHAPES = 512
_MOST_KINDS = 256
_shapes: dict[int, _OfShape] = {}
