"""What the allocator keeps beyond living tensors, as the summary of replays says."""

from __future__ import annotations

from typing import Any

import pytest

from planner.case_answer import answer_case
from planner.memory.estimate import estimate_memory
from planner.units import GIB
from tests.planner.samples import known_model, request_of

SHAPE = known_model("mistral-7b-v0.3")
EQUAL, UNEQUAL = (2048,) * 8, (2048, 400, 1700, 900, 1300, 250, 1900, 600)


def reserved(**changes: Any) -> int:
    request = request_of(micro_batch=4, sequence_tokens=2048, **{"loss": "torch", **changes})
    return estimate_memory(SHAPE, request).reserved.expected_bytes


def test_equal_lengths_given_or_not_are_the_same():
    """Without lengths every row is as long as the longest."""
    assert reserved(lengths=EQUAL) == reserved()


@pytest.mark.parametrize("loss", ["torch", "triton", "liger", "chunked"])
def test_unequal_lengths_keep_far_more_in_classic_segments(loss: str):
    """Expandable segments hardly notice."""
    classic = [
        reserved(allocator="classic", loss=loss, lengths=lengths) for lengths in (EQUAL, UNEQUAL)
    ]
    grown = [reserved(loss=loss, lengths=lengths) for lengths in (EQUAL, UNEQUAL)]

    assert classic[1] - classic[0] > 4 * (grown[1] - grown[0]) >= 0


def test_a_batch_of_many_rows_evens_lengths_out():
    """Padded to the longest of 16, batches are alike."""
    nearly = (2000, 2048, 1950, 2020)

    def more_a_row(micro_batch: int) -> float:
        request = request_of(
            micro_batch=micro_batch, sequence_tokens=2048, loss="torch", allocator="classic"
        )
        equal = estimate_memory(SHAPE, request).reserved.expected_bytes
        lengths = request_of(
            micro_batch=micro_batch, sequence_tokens=2048, loss="torch", allocator="classic",
            lengths=nearly,
        )  # fmt: skip
        more = estimate_memory(SHAPE, lengths).reserved.expected_bytes - equal
        return more / micro_batch

    assert 0 < more_a_row(16) < 0.5 * more_a_row(1)


def test_a_stack_from_before_packing_is_taken_to_have_unequal_rows():
    """A case that names torch 2.1 means batches as long as their rows, up to the cap."""
    case = {
        "method": "lora", "micro_batch": 1, "sequence_tokens": 2048, "loss": "torch",
    }  # fmt: skip
    known, old = (
        answer_case({**case, "versions": versions}, lambda _case: SHAPE, lambda _gpu: None)
        for versions in ({"torch": "2.4.0"}, {"torch": "2.1.1"})
    )
    kept = [
        answer["memory"]["reserved_bytes"]["expected"]
        - answer["memory"]["allocated_bytes"]["expected"]
        for answer in (known, old)
    ]

    assert kept[1] > 3 * kept[0]


def test_what_is_kept_never_exceeds_the_card():
    """Free segments go back to the driver when it refuses."""
    import hwdb

    case = {
        "method": "lora", "micro_batch": 8, "sequence_tokens": 2048, "loss": "torch",
        "allocator": "classic", "lengths": list(UNEQUAL), "gpu": "a100-sxm4-80gb",
    }  # fmt: skip
    answer = answer_case(case, lambda _case: SHAPE, hwdb.find_card)
    device = answer["memory"]["device_bytes"]

    assert device["expected"] <= device["high"] <= 80 * GIB
    assert sum(answer["memory"]["parts"].values()) == device["expected"]
