"""Micro-batches of unequal rows, one behind the other."""

from __future__ import annotations

from planner.case import request_of_case
from planner.memory.batches import MANY, batch_lengths

_CASE = {"method": "lora", "micro_batch": 4, "sequence_tokens": 512}
_ROWS = [40 + 7 * number for number in range(100)]


def test_the_longest_row_is_among_them_and_none_is_longer_than_allowed() -> None:
    """Whatever way they are put together, and in whatever order."""
    request = request_of_case({**_CASE, "lengths": _ROWS})

    for batching in ("random", "grouped"):
        for order in range(3):
            batches = batch_lengths(request, batching=batching, order=order)  # type: ignore[arg-type]
            assert len(batches) == MANY
            assert max(batches) == 512
    assert batch_lengths(request, batching="grouped")[0] == 512
    assert batch_lengths(request, order=0) != batch_lengths(request, order=1)


def test_rows_that_are_alike_need_no_many_steps() -> None:
    """Without lengths, with equal ones, cut to one length, or packed."""
    assert batch_lengths(request_of_case(_CASE)) == ()
    assert batch_lengths(request_of_case({**_CASE, "lengths": [9] * 40})) == ()
    assert batch_lengths(request_of_case({**_CASE, "lengths": [600, 700]})) == ()
    packed = request_of_case({**_CASE, "lengths": _ROWS})
    assert batch_lengths(packed, batching="packed") == ()


def test_rows_of_a_run_that_is_told_of_are_taken_to_vary() -> None:
    """Before rows could be packed they did."""
    old = request_of_case({**_CASE, "versions": {"transformers": "4.36.0"}})

    assert len(set(batch_lengths(old))) > MANY // 2
