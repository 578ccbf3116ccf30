"""Every field of a request changes some answer: one without effect would be a promise not kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from planner.memory.estimate import estimate_memory
from planner.request import REQUEST_FIELDS, AdapterSettings, TrainingRequest
from tests.planner.samples import known_model, request_of

_LORA = AdapterSettings()
_FIELD_PAIRS: dict[str, tuple[TrainingRequest, dict[str, Any]]] = {
    "micro_batch": (request_of(), {"micro_batch": 3}),
    "sequence_tokens": (request_of(), {"sequence_tokens": 1024}),
    "trainable_layers": (request_of("full"), {"trainable_layers": 1}),
    "adapter.kind": (request_of(), {"adapter": replace(_LORA, kind="dora")}),
    "adapter.rank": (request_of(), {"adapter": replace(_LORA, rank=64)}),
    "adapter.targets": (request_of(), {"adapter": replace(_LORA, targets=("q_proj",))}),
    "adapter.dropout": (request_of(), {"adapter": replace(_LORA, dropout=0.1)}),
    "adapter.dtype": (request_of(), {"adapter": replace(_LORA, dtype="bf16")}),
    "weights": (request_of(), {"weights": "fp32"}),
    "weights (4 bit)": (request_of("qlora"), {"weights": "nf4"}),
    "weights (8 bit)": (request_of("qlora"), {"weights": "int8"}),
    "autocast": (request_of(weights="fp32", checkpointing="none"), {"autocast": None}),
    "kbit_prepare": (request_of("qlora", autocast=None), {"kbit_prepare": True}),
    "optimizer": (request_of("full"), {"optimizer": "sgd"}),
    "optimizer (8 bit)": (request_of("full"), {"optimizer": "adamw-8bit"}),
    "optimizer (in backward)": (
        request_of("full", optimizer="sgd"),
        {"optimizer": "sgd-in-backward"},
    ),
    "padded": (request_of(checkpointing="none"), {"padded": True}),
    "checkpointing": (request_of(), {"checkpointing": "none"}),
    "checkpointing (offloaded)": (request_of(), {"checkpointing": "offloaded"}),
    "attention": (request_of(), {"attention": "eager"}),
    "attention (flash2)": (request_of(weights="fp32", autocast=None), {"attention": "flash2"}),
    "loss": (request_of(loss="torch"), {"loss": "chunked"}),
    "loss (liger)": (request_of(), {"loss": "liger"}),
    "loss (triton)": (request_of(loss="torch"), {"loss": "triton"}),
    "transformers_version": (request_of(loss="torch"), {"transformers_version": (4, 48)}),
    "allocator": (request_of(), {"allocator": "classic"}),
    "device": (request_of(), {"device": "cpu"}),
    "compute_capability": (request_of(), {"compute_capability": (9, 0)}),
    "method": (request_of("qlora"), {"method": "lora", "weights": "bf16"}),
    "task": (request_of(loss="torch"), {"task": "text-classification"}),
    "accumulation": (request_of("full"), {"accumulation": 4}),
    "stack": (request_of(), {"stack": "litgpt"}),
    "gpus": (request_of("full", sharding="fsdp", gpus=2), {"gpus": 4}),
    "sharding": (request_of("full", gpus=2), {"sharding": "zero3"}),
    "lengths": (request_of(allocator="classic"), {"lengths": (64, 512)}),
    "lengths_vary": (request_of(allocator="classic"), {"lengths_vary": True}),
    "batching": (
        request_of(micro_batch=4, lengths=(64, 512)),
        {"batching": "packed"},
    ),
    "bitsandbytes_version": (
        request_of("qlora", stack="litgpt", checkpointing="none"),
        {"bitsandbytes_version": (0, 45)},
    ),
}


@pytest.mark.parametrize("field", _FIELD_PAIRS)
def test_every_field_changes_some_answer(field: str) -> None:
    """A field without any effect would be a promise not kept."""
    before, change = _FIELD_PAIRS[field]
    shape = known_model("llama-3.2-1b")

    assert estimate_memory(shape, before) != estimate_memory(shape, replace(before, **change))


def test_no_field_is_left_out() -> None:
    """A field that is added to a request has to be shown to matter."""
    shown = {name.split(" ")[0].split(".")[0] for name in _FIELD_PAIRS}

    assert shown == {*REQUEST_FIELDS}
