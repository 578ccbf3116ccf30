"""What no answer may say of any model of hwdb, on any card, with any settings that go together."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

import hwdb
from launcher.case_lines import card_of_case, shape_of_case
from launcher.errors import TlplanError
from planner.case_answer import answer_case
from planner.request import RequestError

_MODELS = [row.id for row in hwdb.all_models()]
_CARDS = [row.id for row in hwdb.all_cards()]
_COUNTERS = ("allocated", "reserved", "needed", "device")
_HOLDS = (("reserved", "allocated"), ("needed", "allocated"), ("device", "reserved"))
"""Counters with what is part of them."""

_batch = {
    "model": st.sampled_from(_MODELS),
    "micro_batch": st.sampled_from((1, 2, 3, 8, 32)),
    "sequence_tokens": st.sampled_from((16, 128, 512, 1000, 4096, 16384)),
}
_settings = {
    "optimizer": st.sampled_from(
        ("adamw", "adamw-8bit", "paged-adamw", "adafactor", "sgd", "adamw-in-backward")
    ),
    "autocast": st.sampled_from((None, "bf16", "fp16")),
    "checkpointing": st.sampled_from(("none", "full", "offloaded")),
    "attention": st.sampled_from(("sdpa", "flash2", "eager")),
    "loss": st.sampled_from(("torch", "chunked", "liger", "triton")),
    "stack": st.sampled_from(("transformers", "torchtune", "litgpt", "unsloth")),
    "versions": st.sampled_from(({"transformers": "4.44.2"}, {"transformers": "4.57.0"})),
    "sharding": st.sampled_from(("ddp", "fsdp", "zero2", "zero3")),
    "gpus": st.sampled_from((1, 2, 8)),
    "gpu": st.sampled_from(_CARDS),
    "allocator": st.sampled_from(("expandable", "classic")),
    "lengths": st.lists(st.integers(1, 20_000), min_size=1, max_size=4),
    "padded": st.booleans(),
    "task": st.sampled_from(("causal-lm", "text-classification")),
}
_adapter = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(("lora", "dora", "rslora")),
        "rank": st.sampled_from((1, 16, 64)),
        "dropout": st.sampled_from((0.0, 0.05)),
        "dtype": st.sampled_from(("fp32", "bf16")),
    },
)
_of_method = {
    "full": {
        "weights": st.sampled_from(("fp32", "bf16", "fp16")),
        "trainable_layers": st.integers(0, 4),
    },
    "lora": {"weights": st.sampled_from(("fp32", "bf16", "fp16")), "adapter": _adapter},
    "qlora": {
        "weights": st.sampled_from(("int8", "nf4", "nf4-dq")),
        "adapter": _adapter,
        "kbit_prepare": st.booleans(),
    },
}
_cases = st.sampled_from(sorted(_of_method)).flatmap(
    lambda method: st.fixed_dictionaries(
        {"method": st.just(method), **_batch}, optional={**_settings, **_of_method[method]}
    )
)


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(_cases)
def test_an_answer_is_never_absurd(case: dict[str, Any]) -> None:
    """Intervals stand upright and in order, parts add up, and the verdict is that of its rule."""
    try:
        answer = answer_case(case, shape_of_case, card_of_case)
    except (RequestError, TlplanError):
        assume(False)  # cannot be, and says so

    memory, verdict = answer["memory"], answer["verdict"]
    bands = {name: memory[f"{name}_bytes"] for name in _COUNTERS}
    expected = {name: band["expected"] for name, band in bands.items()}
    capacity = verdict["capacity_bytes"]
    for band in bands.values():
        assert 0 < band["low"] <= band["expected"] <= band["high"]
    for whole, part in _HOLDS:
        assert all(bands[whole][end] >= bands[part][end] for end in ("low", "expected", "high"))
    assert expected["device"] >= expected["needed"]
    assert 0 < memory["rest_allocated_bytes"] <= expected["allocated"]
    assert all(part >= 0 for part in memory["parts"].values())
    assert sum(memory["parts"].values()) == expected["device"]
    if capacity is not None:
        needed = bands["needed"]
        fits = "yes" if needed["high"] <= capacity else "no"
        if needed["high"] > capacity >= needed["expected"]:
            fits = "tight"
        assert verdict["fits"] == fits
        assert verdict["spare_bytes"] == capacity - needed["expected"]
