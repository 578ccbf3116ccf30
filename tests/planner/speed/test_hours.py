"""A run's hours: steps, measuring and saving, each with its interval; sizes on disk beside them."""

from __future__ import annotations

from dataclasses import replace

import pytest

import hwdb
from planner.disk import checkpoint_bytes, result_bytes, run_bytes
from planner.speed.hours import Comparison, RunLoop, RunTime, estimate_hours
from planner.speed.step_time import estimate_time
from planner.speed.work import Execution
from tests.planner.samples import known_model, request_of

_SHAPE = known_model("llama-3.1-8b")
_CARD = hwdb.find_card("rtx-4090")
_STEP = request_of("lora", micro_batch=1, accumulation=16, sequence_tokens=512)


def _hours(loop: RunLoop, execution: Execution = Execution()) -> RunTime:  # noqa: B008
    time = estimate_hours(_SHAPE, _STEP, _CARD, loop, execution)
    assert time is not None
    return time


def test_steps_times_their_seconds() -> None:
    """A run without anything else is its steps and a start."""
    step = estimate_time(_SHAPE, _STEP, _CARD)
    assert step is not None

    time = _hours(RunLoop(steps=100))

    assert time.training.expected == pytest.approx(100 * step.step.expected)
    assert time.total.low < time.total.expected < time.total.high
    assert time.evaluation.expected == time.saving.expected == time.download.expected == 0


def test_measuring_a_row_costs_a_third_of_training_it_or_less() -> None:
    """Forward alone, without checkpoints to compute again."""
    trained = _hours(RunLoop(steps=1)).training.expected / 16
    measured = _hours(RunLoop(steps=1, held_out_rows=1, evaluations=1)).evaluation.expected

    assert 0.15 * trained < measured < 0.4 * trained


def test_saving_loading_downloading_and_compiling_take_their_time() -> None:
    """Each is its own part; the card need not be paid while the weights come in."""
    loop = RunLoop(
        steps=1,
        checkpoints=2,
        checkpoint_bytes=4 * 10**9,
        weights_bytes=16 * 10**9,
        download_bytes=16 * 10**9,
    )
    time = _hours(loop)

    assert time.saving.expected == pytest.approx(20)
    assert time.starting.expected == pytest.approx(46)
    assert time.download.expected > 60
    assert time.on_card.expected == pytest.approx(time.total.expected - time.download.expected)
    compiled = _hours(loop, Execution(compiled=True))
    assert compiled.starting.expected > time.starting.expected + 60


def test_the_evidence_takes_its_time() -> None:
    """An 8B model answers 100 rows three times in minutes; the limit of time bounds that."""
    asked = Comparison(rows=100, answer_tokens=64, seconds=120, examples=5, general=True)
    whole = _hours(RunLoop(steps=1, comparison=asked)).comparison
    limited = _hours(RunLoop(steps=1, comparison=asked._replace(seconds=10))).comparison
    classes = _hours(RunLoop(steps=1, comparison=asked._replace(answer_tokens=0))).comparison

    assert 60 < whole.expected < 3 * 120 + 120
    assert limited.expected < whole.expected / 2
    assert classes.expected < limited.expected
    assert _hours(RunLoop(steps=1)).comparison.expected == 0


def test_the_best_checkpoint_is_kept_beside_the_newest() -> None:
    """Two kept, one being written, the best one, and the result."""
    saved, result = checkpoint_bytes(_SHAPE, _STEP), result_bytes(_SHAPE, _STEP)

    kept = run_bytes(_SHAPE, _STEP, keep_checkpoints=2, keep_best=True)

    assert kept == 4 * saved + result
    assert run_bytes(_SHAPE, _STEP, keep_checkpoints=2, keep_best=False) == kept - saved


def test_unknown_cards_have_no_hours() -> None:
    """None, not zero."""
    assert estimate_hours(_SHAPE, _STEP, None, RunLoop(steps=1)) is None


def test_an_adapter_is_rank_times_its_sides_in_fp32() -> None:
    """Llama 3.1 8B, rank 16, all linear layers: 41.9 M parameters, 168 MB."""
    assert result_bytes(_SHAPE, _STEP) == pytest.approx(168e6, rel=0.01)
    assert checkpoint_bytes(_SHAPE, _STEP) == pytest.approx(3 * 168e6, rel=0.01)


_TABLE = 128_256 * 4096


@pytest.mark.parametrize(
    ("optimizer", "bytes_"),
    [("adamw-fused", 3 * 16.06e9), ("paged-adamw-8bit", 2 * 16.06e9 + 6 * _TABLE)],
)
def test_a_full_checkpoint_holds_weights_and_moments(optimizer: str, bytes_: float) -> None:
    """16-bit weights with 16-bit moments, or of one byte: in fp32 for the embeddings."""
    full = replace(_STEP, method="full", adapter=None, optimizer=optimizer)

    assert result_bytes(_SHAPE, full) == pytest.approx(16.06e9, rel=0.01)
    assert checkpoint_bytes(_SHAPE, full) == pytest.approx(bytes_, rel=0.02)
