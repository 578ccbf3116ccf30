"""What unequal rows cost, padded, grouped and packed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.advice.rows import packed_accumulation, safe_batchings
from planner.advice.unequal import filling_of, grouping_reason, packing_reason
from planner.memory.estimate import KeptBytes
from planner.units import GIB
from tests.planner.samples import known_model, request_of, tiny_llama

_LENGTHS = st.lists(st.integers(min_value=1, max_value=600), min_size=1, max_size=60)


def test_rows_of_one_length_need_no_padding():
    """Nothing is filled up, and a packed row of twice the length is full."""
    filling = filling_of([100] * 8, rows_at_once=4, longest=200)

    assert filling == (0.0, 0.0, 0.0)


def test_a_batch_is_as_long_as_its_longest_row():
    """Two rows of 100 and 300 tokens: a third of 600 computed ones is padding."""
    filling = filling_of([100, 300], rows_at_once=2, longest=300)

    assert filling.as_they_come == pytest.approx(1 / 3)


def test_packing_puts_each_row_where_it_leaves_least_room():
    """70 + 30 and 60 + 40 fill two rows of 100."""
    assert filling_of([30, 40, 60, 70], rows_at_once=1, longest=100).packed == 0


@given(_LENGTHS, st.integers(min_value=1, max_value=8))
def test_grouping_never_pads_more(lengths: list[int], rows_at_once: int):
    """Rows of like length beside each other are the least that padding can cost."""
    whole_batches = lengths[: len(lengths) // rows_at_once * rows_at_once] or [1] * rows_at_once
    filling = filling_of(whole_batches, rows_at_once, longest=512)

    assert 0 <= filling.grouped <= filling.as_they_come + 1e-9 < 1
    assert 0 <= filling.packed < 1


def test_the_reasons_say_what_packing_grouping_and_segments_do():
    """One line each, with the figures of these rows."""
    lengths = (40, 500, 90, 300, 60, 480, 120, 512) * 4
    request = request_of(micro_batch=4, sequence_tokens=512, loss="torch")
    text = packing_reason(tiny_llama(), request, lengths)

    assert "empty" in text
    assert "PyTorch's usual ones would" in text
    assert "grouped" in grouping_reason(request, lengths)
    packed = replace(request, batching="packed", padded=False)
    assert "rows in one" in packing_reason(tiny_llama(), packed, lengths, "9 % less time")
    assert packing_reason(tiny_llama(), request, []).startswith("the lengths")
    ways = {"random": KeptBytes(2 * GIB, 5 * GIB), "packed": KeptBytes(3 * GIB, 4 * GIB)}
    replayed = packing_reason(tiny_llama(), request, lengths, ways=ways)
    assert replayed.endswith("as rows come 2.0 (5.0), packed 3.0 (4.0)")


def test_rows_that_could_see_each_other_are_never_packed():
    """Bloom keeps positions in its scores: packed rows of it leak; nor is a classifier packed."""
    lengths = (40, 500, 90)
    bloom = known_model("bloom-560m")

    assert "packed" not in safe_batchings(bloom, request_of(), lengths)
    assert "packed" in safe_batchings(tiny_llama(), request_of(), lengths)
    classifier = request_of(task="text-classification")
    assert safe_batchings(tiny_llama(), classifier, lengths) == ("random", "grouped")
    assert safe_batchings(tiny_llama(), request_of(), (7, 7)) == ("random",)


def test_packing_keeps_the_rows_a_step():
    """As near as whole micro-batches come; not at all where one holds far more."""
    assert packed_accumulation(16, 1, 8.0) == 2
    assert packed_accumulation(16, 2, 3.0) == 3
    assert packed_accumulation(16, 1, 25.0) is None
