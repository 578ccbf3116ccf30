"""Whole steps as streams of tensors, served by the allocator on paper."""

from __future__ import annotations

import pytest

from planner.memory.allocator import Replay, replay
from planner.memory.estimate import estimate_memory
from planner.memory.runtime import cublas_workspace_bytes
from planner.memory.training_events import training_events
from planner.request import TrainingRequest
from tests.planner.samples import request_of, tiny_llama

WIDE = {"hidden_size": 1024, "intermediate_size": 2816, "vocab_size": 32000}


def served(request: TrainingRequest, lengths: list[int], *, expandable: bool = False) -> Replay:
    """What micro-batches of these lengths make the allocator reserve."""
    events = training_events(tiny_llama(**WIDE), request, lengths)
    return replay(events, expandable=expandable)


@pytest.mark.parametrize("checkpointing", ["none", "full"])
@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
@pytest.mark.parametrize("version", [(4, 44), (4, 48), None])
def test_equal_lengths_peak_where_the_formula_says(method, checkpointing, version):
    """The stream's allocated peak is the formula's, within its small tensors."""
    request = request_of(
        method,
        sequence_tokens=2048,
        loss="torch",
        checkpointing=checkpointing,
        transformers_version=version,
        optimizer="adamw",
        allocator="classic",
    )
    formula = estimate_memory(tiny_llama(**WIDE), request).allocated.expected_bytes
    peak = served(request, [2048] * 2).peak_allocated_bytes

    assert peak == pytest.approx(formula - 2 * cublas_workspace_bytes(None), rel=0.04)


def test_unequal_lengths_fragment_classic_segments_only():
    """The same rows need far more of the driver, unless segments can grow."""
    request = request_of("lora", loss="torch", allocator="classic")
    lengths = [120, 300, 260, 70, 450, 390, 480, 350, 500, 410, 440, 512]
    equal, classic = served(request, [512] * 12), served(request, lengths)
    grown = served(request, lengths, expandable=True)

    # A free block that is at most 1 MiB too large is handed out whole.
    assert classic.peak_allocated_bytes == pytest.approx(equal.peak_allocated_bytes, rel=0.002)
    assert classic.peak_reserved_bytes > 1.2 * equal.peak_reserved_bytes
    assert grown.peak_reserved_bytes < 1.1 * equal.peak_reserved_bytes
