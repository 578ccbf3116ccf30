"""Steps of other lengths, written after one that was traced."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from launcher.tracing.trace import trace_one_step, trace_request
from planner.case import request_of_case
from planner.memory.allocator import replay
from planner.memory.segments import SMALL_REQUEST_BYTES
from tests.launcher.tracing.samples import case


def test_a_step_of_another_length_is_written_as_it_would_be_traced():
    """Its large tensors, whatever the widths of the model: all peaks within half a percent."""
    asked = case(micro_batch=8, sequence_tokens=1024, loss="torch", allocator="classic")
    request = request_of_case(asked)
    full = trace_request(asked["config"], request)
    step = trace_one_step(full, asked["config"], request, 0)

    for length in (1024, 600, 384):
        shorter = {**asked, "sequence_tokens": length}
        traced = trace_request(asked["config"], request_of_case(shorter)).events()
        large = [event for event in traced if abs(event[1]) > SMALL_REQUEST_BYTES]
        expected = replay(large, expandable=False).peak_allocated_bytes
        written = replay(step.steps([length]), expandable=False).peak_allocated_bytes
        assert written == pytest.approx(expected, rel=0.005)


def test_rows_of_unequal_lengths_leave_holes_in_classic_segments():
    """More than equal ones, and more than in segments that grow."""
    asked = case(micro_batch=4, sequence_tokens=2048, loss="torch")
    request = request_of_case(asked)
    step = trace_one_step(trace_request(asked["config"], request), asked["config"], request, 0)
    lengths = list(range(300, 2049, 92))  # every batch finds what it could use a little too small

    def reserved(lengths: list[int], *, expandable: bool) -> int:
        return replay(step.steps(lengths), expandable=expandable).peak_reserved_bytes

    unequal = reserved(lengths, expandable=False)
    assert unequal > 1.1 * reserved([2048] * 8, expandable=False)
    assert unequal > 1.1 * reserved(lengths, expandable=True)
