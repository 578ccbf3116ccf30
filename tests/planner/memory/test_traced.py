"""What a traced step becomes: the same answer as the formula's, with narrower intervals."""

from __future__ import annotations

from typing import Any

import pytest

from planner.case import case_of_request, request_of_case
from planner.memory.traced import Traced, estimate_from_trace
from planner.units import GIB

_TRACED = Traced(
    peak_bytes=10 * GIB,
    rest_bytes=7 * GIB,
    needed_bytes=11 * GIB,
    reserved_bytes=12 * GIB,
    phases={"forward": 8 * GIB, "backward": 10 * GIB, "evaluate": 8 * GIB},
    parts={
        **dict.fromkeys(("adapters", "gradients", "optimizer", "logits"), GIB),
        "weights": 3 * GIB,
        "activations": 2 * GIB,
        "temporaries": 0,
        "runtime": GIB,
    },
    trained_parameters=1000,
    paged_bytes=0,
)
_CASE = {"method": "lora", "micro_batch": 1, "sequence_tokens": 128}


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_the_parts_of_a_traced_estimate_add_up(device: str) -> None:
    """To the byte, what the process takes beyond tensors included."""
    estimate = estimate_from_trace(_TRACED, request_of_case({**_CASE, "device": device}))

    assert estimate.parts.total_bytes == estimate.device.expected_bytes
    assert estimate.allocated.expected_bytes == 10 * GIB
    assert estimate.peak_phase == "backward"
    assert estimate.basis.tier == "trace"


@pytest.mark.parametrize(
    ("model_type", "device", "runs"),
    [("llama", "cuda", 59), ("llama", "cpu", None), ("jamba", "cuda", None)],
)
def test_a_trace_counts_the_runs_of_its_own_kind(
    model_type: str, device: str, runs: int | None
) -> None:
    """No run of a card is known of a state-space model, or says anything of a CPU."""
    request = request_of_case({**_CASE, "device": device})

    assert estimate_from_trace(_TRACED, request, model_type=model_type).basis.runs == runs


def test_needed_is_the_smallest_budget_and_reserved_what_nothing_limits() -> None:
    """With the context on top of both."""
    estimate = estimate_from_trace(_TRACED, request_of_case(_CASE))
    context = estimate.device.expected_bytes - estimate.reserved.expected_bytes

    assert estimate.reserved.expected_bytes == 12 * GIB
    assert estimate.needed.expected_bytes == 11 * GIB + context > 11 * GIB


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "qlora", "weights": "int8", "kbit_prepare": True},
        {"method": "full", "trainable_layers": 2, "optimizer": "adamw-8bit-in-backward"},
        {"adapter": {"kind": "dora", "rank": 4, "targets": ["q_proj"], "dropout": 0.1}},
        {"versions": {"transformers": "4.48.1"}, "loss": "triton", "autocast": None},
        {"device": "cpu", "padded": True, "attention": "eager", "accumulation": 3},
    ],
    ids=str,
)
def test_a_request_goes_to_a_case_and_back(changes: dict[str, Any]) -> None:
    """A trace is asked for in the words of a case, and is of the same step."""
    request = request_of_case({**_CASE, **changes})

    assert request_of_case(case_of_request(request)) == request
