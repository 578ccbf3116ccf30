"""Every field of a case changes an answer, in every object that a case may hold."""

from __future__ import annotations

from typing import Any

import pytest

from launcher.case_lines import card_of_case, shape_of_case
from planner.case import _ADAPTER_KEYS, _KEYS
from planner.case_answer import answer_case
from tests.planner.samples import TINY_LLAMA

_CASE: dict[str, Any] = {
    "model": "llama-3.2-1b",
    "method": "lora",
    "micro_batch": 2,
    "sequence_tokens": 512,
    "gpu": "rtx-4090",
}
_FULL = {**_CASE, "method": "full"}
_QLORA = {**_CASE, "method": "qlora"}
_LITGPT = {**_QLORA, "stack": "litgpt", "checkpointing": "none"}
_PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "model": (_CASE, {"model": "llama-3.2-3b"}),
    "config": (
        {**_CASE, "model": None, "config": TINY_LLAMA},
        {"config": {**TINY_LLAMA, "vocab_size": 9}},
    ),
    "task": (_CASE, {"task": "text-classification"}),
    "method": (_CASE, {"method": "full"}),
    "trainable_layers": (_FULL, {"trainable_layers": 1}),
    "adapter.kind": (_CASE, {"adapter": {"kind": "dora"}}),
    "adapter.rank": (_CASE, {"adapter": {"rank": 17}}),
    "adapter.targets": (_CASE, {"adapter": {"targets": ["q_proj"]}}),
    "adapter.dropout": (_CASE, {"adapter": {"dropout": 0.1}}),
    "adapter.dtype": (_CASE, {"adapter": {"dtype": "bf16"}}),
    "weights": (_CASE, {"weights": "fp32"}),
    "weights (4 bit)": (_QLORA, {"weights": "nf4"}),
    "weights (8 bit)": (_QLORA, {"weights": "int8"}),
    "autocast": (_CASE, {"autocast": None}),
    "kbit_prepare": (_QLORA, {"kbit_prepare": True}),
    "optimizer": (_FULL, {"optimizer": "adafactor"}),
    "optimizer (in backward)": (_FULL, {"optimizer": "adamw-in-backward"}),
    "micro_batch": (_CASE, {"micro_batch": 3}),
    "accumulation": (_FULL, {"accumulation": 2}),
    "sequence_tokens": (_CASE, {"sequence_tokens": 513}),
    "lengths": ({**_CASE, "allocator": "classic"}, {"lengths": [100, 512]}),
    "padded": ({**_CASE, "checkpointing": "none"}, {"padded": True}),
    "checkpointing": (_CASE, {"checkpointing": "none"}),
    "checkpointing (offloaded)": (_CASE, {"checkpointing": "offloaded"}),
    "attention": (_CASE, {"attention": "eager"}),
    "loss": (_CASE, {"loss": "torch"}),
    "loss (liger)": (_CASE, {"loss": "liger"}),
    "loss (triton)": (_CASE, {"loss": "triton"}),
    "stack": (_CASE, {"stack": "torchtune"}),
    "stack (litgpt)": (_CASE, {"stack": "litgpt"}),
    "stack (unsloth)": (_CASE, {"stack": "unsloth"}),
    "versions": (_CASE, {"versions": {"transformers": "4.45.2"}}),
    "versions (torch alone)": (_CASE, {"versions": {"torch": "2.4.0"}}),
    "versions (bitsandbytes)": (_LITGPT, {"versions": {"bitsandbytes": "0.45.0"}}),
    "gpus": ({**_FULL, "sharding": "fsdp", "gpus": 2}, {"gpus": 4}),
    "sharding": ({**_FULL, "gpus": 2}, {"sharding": "zero3"}),
    "sharding (zero2)": ({**_FULL, "gpus": 2}, {"sharding": "zero2"}),
    "sharding (fsdp)": ({**_FULL, "gpus": 2}, {"sharding": "fsdp"}),
    "gpu": (_CASE, {"gpu": "h100-sxm5-80gb"}),
    "allocator": (_CASE, {"allocator": "classic"}),
    "device": ({**_CASE, "gpu": None}, {"device": "cpu"}),
}


@pytest.mark.parametrize("field", _PAIRS)
def test_every_field_of_a_case_changes_an_answer(field: str) -> None:
    """What a user states and nobody looks at would be a promise not kept."""
    case, change = _PAIRS[field]

    before, after = (
        answer_case(each, shape_of_case, card_of_case) for each in (case, {**case, **change})
    )

    assert before["memory"] != after["memory"]


def test_no_field_of_a_case_is_left_out() -> None:
    """A field that is added to cases has to be shown to matter."""
    shown = {name.split(" ")[0] for name in _PAIRS}

    assert {name for name in shown if "." not in name} == _KEYS - {"adapter", "id"}
    assert {name for name in shown if "." in name} == {f"adapter.{name}" for name in _ADAPTER_KEYS}
