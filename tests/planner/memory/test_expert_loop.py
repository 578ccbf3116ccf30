"""Experts that are modules of their own, as Transformers had them before version 5."""

from __future__ import annotations

from typing import Any

import pytest

from planner.memory.estimate import MemoryEstimate, estimate_memory
from planner.memory.expert_loop import as_modules
from planner.memory.step import step_of
from planner.request import AdapterSettings, RequestError, TrainingRequest
from tests.planner.samples import request_of, shape_of_config

_MIXTRAL = {
    "model_type": "mixtral", "hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 16, "vocab_size": 500,
    "num_experts_per_tok": 2, "num_local_experts": 4,
}  # fmt: skip
_MODULES, _FUSED = (4, 57), (5, 0)


def _request(
    method: str, targets: tuple[str, ...] = ("q_proj",), **changes: Any
) -> TrainingRequest:
    adapter = None if method == "full" else AdapterSettings(rank=8, targets=targets)
    return request_of(method, **{"adapter": adapter, "transformers_version": _MODULES, **changes})


def _memory(method: str, targets: tuple[str, ...] = ("q_proj",), **changes: Any) -> MemoryEstimate:
    return estimate_memory(shape_of_config(_MIXTRAL), _request(method, targets, **changes))


# KiB of a real step on a CPU with Transformers 4.57.3: 2 rows of 128 tokens, eager attention.
@pytest.mark.parametrize(
    ("experts", "targets", "weights", "checkpointing", "measured_kib"),
    [
        (4, None, "fp32", "none", 20835),
        (4, None, "bf16", "full", 7749),
        (4, ("q_proj", "v_proj"), "bf16", "none", 9108),
        (4, ("q_proj", "v_proj"), "bf16", "full", 3875),
        (4, ("all-linear",), "bf16", "none", 13465),
        (16, None, "bf16", "full", 21800),
        (16, ("q_proj", "v_proj"), "bf16", "full", 8401),
        (16, ("all-linear",), "bf16", "none", 25570),
    ],
)
def test_the_formula_meets_a_real_step(
    experts: int, targets: tuple[str, ...] | None, weights: str, checkpointing: str,
    measured_kib: int,
) -> None:  # fmt: skip
    """Each expert on its share of the rows, in every method; four of 16 experts a token."""
    chosen = {4: 2, 16: 4}[experts]
    config = {**_MIXTRAL, "num_local_experts": experts, "num_experts_per_tok": chosen}
    request = _request(
        "lora" if targets else "full", targets or (), weights=weights, autocast=None, loss="torch",
        checkpointing=checkpointing, attention="eager", device="cpu", micro_batch=2,
        sequence_tokens=128, optimizer="adamw-fused",
    )  # fmt: skip
    step = step_of(as_modules(shape_of_config(config), request), request)
    states = step.states

    standing = states.weights_bytes + states.adapters_bytes + states.optimizer_bytes
    assert standing + step.peak.total_bytes == pytest.approx(measured_kib * 1024, rel=0.01)


def test_a_quantizer_packs_experts_that_are_modules() -> None:
    """They are linears like any other; the parameters of version 5 stay in 16 bit."""
    packed, left = (_memory("qlora", transformers_version=each) for each in (_MODULES, _FUSED))

    assert packed.parts.weights_bytes < 0.5 * left.parts.weights_bytes


def test_adapters_reach_experts_that_are_modules() -> None:
    """By their names, or with all linears; version 5 has no such modules."""
    alone, every = _memory("lora"), _memory("lora", ("all-linear",))

    assert _memory("lora", ("q_proj", "w1")).trained_parameters > alone.trained_parameters
    assert every.trained_parameters > 10 * alone.trained_parameters
    with pytest.raises(RequestError, match="w1"):
        _memory("lora", ("w1",), transformers_version=_FUSED)


def test_an_unknown_target_is_told_with_each_name_once() -> None:
    """Not with those of every expert."""
    with pytest.raises(RequestError) as refused:
        _memory("lora", ("w9",))

    assert str(refused.value).count("w1") == 1


def test_many_experts_are_answered_as_few_are() -> None:
    """128 experts, eight of them a token."""
    config = {**_MIXTRAL, "num_local_experts": 128, "num_experts_per_tok": 8}

    memory = estimate_memory(shape_of_config(config), _request("lora"))

    assert memory.parts.total_bytes == memory.device.expected_bytes
