"""From seconds of a step to hours of a run: training, measuring, saving, loading, downloading."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from planner.request import TrainingRequest
from planner.shape import ModelShape
from planner.speed.correction import TimeCorrection, corrected_time
from planner.speed.lengths import row_lengths
from planner.speed.seconds import Seconds
from planner.speed.step_time import estimate_time, timed_step
from planner.speed.work import PLAIN, Execution

if TYPE_CHECKING:
    from hwdb.card import Card

START_SECONDS = 30.0
"""Imports, the CUDA context, libraries loaded at the first step."""
COMPILE_SECONDS = 240.0
"""torch.compile of the first steps; 60 to 900 have been seen."""
READ_BYTES_PER_SECOND = 1e9
"""Weights from an SSD to the card. Assumed."""
WRITE_BYTES_PER_SECOND = 0.4e9
"""A checkpoint to an SSD with its SHA-256. Assumed."""
DOWNLOAD_BYTES_PER_SECOND = 30e6
"""A line of 250 Mbit/s. Assumed."""
_ASSUMED = (0.5, 2.0)
"""Interval of what rests on an assumed disk or line."""


class Comparison(NamedTuple):
    """The evidence a run ends with: rows answered by each of three models, general text."""

    rows: int
    answer_tokens: int
    """Longest answer; 0 for a classifier, which answers in one pass."""
    seconds: float
    """After this a model takes no further rows."""
    examples: int
    """Training rows in the prompt of the base model."""
    general: bool
    """Whether general tasks and text are measured before and after."""


class RunLoop(NamedTuple):
    """What a run does beside its steps."""

    steps: int
    held_out_rows: int = 0
    evaluations: int = 0
    """Times the held-out rows are measured."""
    comparison: Comparison | None = None
    """Of base, base with examples and tuned; None where nothing is compared."""
    checkpoints: int = 0
    checkpoint_bytes: int = 0
    weights_bytes: int = 0
    """Read from disk once."""
    download_bytes: int = 0
    """0 where the weights are here already."""


class RunTime(NamedTuple):
    """Seconds of a run, each part with its interval."""

    step: Seconds
    training: Seconds
    evaluation: Seconds
    comparison: Seconds
    """The evidence at the start and at the end."""
    saving: Seconds
    starting: Seconds
    """Loading, the first step's extra time and, where asked for, compiling."""
    download: Seconds
    situation: str
    runs: int = 0
    """Runs of this machine that corrected it."""
    uncorrected_step: float | None = None
    """Seconds of a step before they did; None: none did."""

    @property
    def total(self) -> Seconds:
        """All parts; low and high ends are added up as if all erred alike."""
        parts = (
            *(self.training, self.evaluation, self.comparison, self.saving),
            *(self.starting, self.download),
        )
        return Seconds(*(sum(ends) for ends in zip(*parts, strict=True)))

    @property
    def on_card(self) -> Seconds:
        """Without the download, during which no card has to be paid."""
        return Seconds(
            *(whole - part for whole, part in zip(self.total, self.download, strict=True))
        )


def estimate_hours(
    shape: ModelShape,
    request: TrainingRequest,
    card: Card | None,
    loop: RunLoop,
    execution: Execution = PLAIN,
    correction: TimeCorrection | None = None,
) -> RunTime | None:
    """Time of a whole run; None where the step's is unknown."""
    plain = estimate_time(shape, request, card, execution)
    if plain is None or card is None:
        return None
    time = corrected_time(plain, correction)
    evaluated = _evaluation(shape, request, card, loop, execution)
    start = START_SECONDS + loop.weights_bytes / READ_BYTES_PER_SECOND
    start += COMPILE_SECONDS if execution.compiled else 0.0
    return RunTime(
        step=time.step,
        training=time.step.scaled(loop.steps),
        evaluation=time.step.scaled(evaluated / plain.step.expected),
        comparison=_comparison(shape, request, card, loop.comparison, execution),
        saving=_assumed(loop.checkpoints * loop.checkpoint_bytes / WRITE_BYTES_PER_SECOND),
        starting=_assumed(start),
        download=_assumed(loop.download_bytes / DOWNLOAD_BYTES_PER_SECOND),
        situation=time.situation,
        runs=time.runs,
        uncorrected_step=plain.step.expected if time.runs else None,
    )


def _evaluation(
    shape: ModelShape,
    request: TrainingRequest,
    card: Card,
    loop: RunLoop,
    execution: Execution,
) -> float:
    """Forward passes over the held-out rows, in micro-batches of the same size."""
    timed = timed_step(shape, request, card, execution)
    assert timed is not None
    rows = row_lengths(
        request.lengths, micro_batch=request.micro_batch, longest=request.sequence_tokens
    )
    tokens = request.micro_batch * rows.padded_tokens
    one = timed.seconds.forward_only(tokens, request.micro_batch * rows.padded_squares)
    batches = ceil(loop.held_out_rows / request.micro_batch)
    return loop.evaluations * batches * one


_ANSWERED_AT_ONCE = 8
_TOKENS_AT_ONCE = 2048
"""Of prompts and answers in a batch, or as many as a training step has where that is more."""
_GENERAL_PADDED_TOKENS = 2900
"""60 tasks with four ends each and 12 texts, in batches of up to 64 tokens."""
_GENERAL_BATCHES = 50
_LOOP_FACTOR = 1.5
"""What choosing a token and growing the cache adds to a pass. Assumed."""
_LONGEST_PROMPT = 4096
"""Tokens of examples and question that a card is asked to read."""


def _comparison(
    shape: ModelShape,
    request: TrainingRequest,
    card: Card,
    comparison: Comparison | None,
    execution: Execution,
) -> Seconds:
    """Answers in batches, token by token, up to the limit of time; loss of each row; the suite."""
    timed = timed_step(shape, request, card, execution)
    if comparison is None or not comparison.rows or timed is None:
        return Seconds(0.0, 0.0, 0.0)
    forward = timed.seconds.forward_only
    rows = row_lengths(request.lengths, micro_batch=1, longest=request.sequence_tokens)
    one = rows.real_tokens
    if not comparison.answer_tokens:
        # Features of the untrained model, then classes of the tuned one.
        return _assumed(2 * comparison.rows * forward(one, one * one))
    room = max(_TOKENS_AT_ONCE, request.micro_batch * request.sequence_tokens)

    def answered(prompt: float) -> float:
        fitting = int(room / (prompt + comparison.answer_tokens))
        at_once = max(1, min(_ANSWERED_AT_ONCE, fitting, comparison.rows))
        token = _LOOP_FACTOR * forward(at_once, at_once * prompt)
        batch = forward(at_once * prompt, at_once * prompt**2) + comparison.answer_tokens * token
        return min(ceil(comparison.rows / at_once) * batch, comparison.seconds + batch)

    seconds = 2 * (answered(one) + comparison.rows * forward(one, one * one))
    if comparison.examples:
        seconds += answered(min(one * (1 + comparison.examples), room, _LONGEST_PROMPT))
    if comparison.general:
        width = _GENERAL_PADDED_TOKENS / _GENERAL_BATCHES
        seconds += 2 * _GENERAL_BATCHES * forward(width, width * width)
    return _assumed(seconds)


def _assumed(seconds: float) -> Seconds:
    return Seconds(seconds, seconds * _ASSUMED[0], seconds * _ASSUMED[1])
