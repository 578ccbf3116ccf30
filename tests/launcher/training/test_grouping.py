"""Rows of like length go together, in an order that a resumed run finds again."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from launcher.errors import UsageError
from launcher.training.grouping import RowsOfLikeLength
from planner.speed.lengths import row_lengths
from tests.launcher.training.plans import carry_out, make_plan, of_type

_LENGTHS = tuple(random.Random(3).choices(range(20, 600), k=1003))


def test_micro_batches_are_alike_and_every_row_comes_once() -> None:
    """What is filled up is what the time is estimated with."""
    rows = list(RowsOfLikeLength(_LENGTHS, 4, seed=5))
    batches = [rows[at : at + 4] for at in range(0, 1000, 4)]
    padded = sum(max(_LENGTHS[row] for row in batch) for batch in batches) / len(batches)

    assert sorted(rows) == list(range(1003))
    expected = row_lengths(_LENGTHS, micro_batch=4, longest=600, batching="grouped")
    assert padded == pytest.approx(expected.padded_tokens, rel=0.02)
    assert padded < 1.05 * sum(_LENGTHS) / len(_LENGTHS)


def test_the_order_is_that_of_the_seed_and_the_pass() -> None:
    """Batches come in no order of length, differ from pass to pass, and come back."""
    sampler = RowsOfLikeLength(_LENGTHS, 4, seed=5)
    first = list(sampler)
    sampler.set_epoch(1)

    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first
    lengths = [_LENGTHS[row] for row in first[:200:4]]
    assert lengths not in (sorted(lengths), sorted(lengths, reverse=True))


@pytest.mark.training
def test_a_grouped_run_that_stopped_goes_on_in_its_order(
    tiny_model: Path, chats: Path, tmp_path: Path
) -> None:
    """The losses after the checkpoint are those of the run that was never stopped."""
    steady = {"schedule": "constant", "warmup_fraction": 0.0, "group_by_length": True}
    plan = make_plan(
        model=tiny_model, data=chats, run=tmp_path / "whole", micro_batch_rows=2,
        checkpoint_every_steps=3, **steady,
    )  # fmt: skip
    whole = [step["loss"] for step in of_type(carry_out(plan), "step")]
    checkpoint = tmp_path / "whole" / "checkpoints" / "step-3"
    resumed = [step["loss"] for step in of_type(carry_out(plan, checkpoint), "step")]

    assert len(whole) == 6
    assert resumed[-3:] == whole[-3:]


def test_packing_and_grouping_exclude_each_other(
    tiny_model: Path, chats: Path, tmp_path: Path
) -> None:
    """A key that has no effect is refused."""
    plan = make_plan(
        model=tiny_model, data=chats, run=tmp_path / "run", packing=True, group_by_length=True
    )
    from launcher.training.arguments import refuse_what_is_not_there

    with pytest.raises(UsageError, match="packed rows have no padding"):
        refuse_what_is_not_there(plan)
