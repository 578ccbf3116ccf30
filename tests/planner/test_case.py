"""A line of `tlplan estimate` becomes a request, its answer the contract's object."""

from __future__ import annotations

from typing import Any

import pytest

import hwdb
from planner.case import request_of_case
from planner.case_answer import answer_case
from planner.request import AdapterSettings, RequestError
from planner.units import GIB
from tests.planner.samples import tiny_llama

_LEAST = {"method": "lora", "micro_batch": 4, "sequence_tokens": 1024}

_A100 = hwdb.find_card("a100-sxm4-80gb")
_CARDS = {"big": _A100, "small": _A100._replace(memory_bytes=GIB // 2), "unknown": None}


def _answer(**fields: Any) -> dict[str, Any]:
    return answer_case(
        {**_LEAST, **fields},
        lambda _case: tiny_llama(),
        lambda gpu: _CARDS[gpu],
    )


def test_what_a_case_leaves_out_has_the_launchers_default() -> None:
    """Three fields are enough."""
    request = request_of_case(_LEAST)

    assert (request.weights, request.autocast, request.optimizer) == (
        "bf16",
        "bf16",
        "adamw-fused",
    )
    assert request.adapter == AdapterSettings()
    assert (request.checkpointing, request.attention, request.loss) == ("full", "sdpa", "chunked")
    assert (request.allocator, request.device, request.gpus) == ("expandable", "cuda", 1)


def test_null_is_as_good_as_nothing_said() -> None:
    """Of an adapter's fields as of a case's."""
    nothing = dict.fromkeys(("kind", "rank", "targets", "dropout", "dtype"))
    usual = request_of_case(_LEAST)

    assert request_of_case({**_LEAST, "adapter": nothing}) == usual


def test_qlora_has_defaults_of_its_own() -> None:
    """Double-quantized 4-bit weights, and the 16-bit adapters TRL makes over them."""
    request = request_of_case({**_LEAST, "method": "qlora"})

    assert request.weights == "nf4-dq"
    assert request.adapter is not None
    assert request.adapter.dtype == "bf16"


def test_every_field_arrives() -> None:
    """What a case says is what the request says."""
    request = request_of_case(
        {
            **_LEAST,
            "id": "a",
            "method": "qlora",
            "adapter": {
                "kind": "rslora",
                "rank": 8,
                "targets": ["q_proj", "v_proj"],
                "dropout": 0.1,
                "dtype": "fp32",
            },
            "weights": "nf4",
            "autocast": None,
            "kbit_prepare": True,
            "optimizer": "paged-adamw-8bit",
            "accumulation": 8,
            "lengths": [3, 5],
            "checkpointing": "offloaded",
            "attention": "flash2",
            "loss": "liger",
            "versions": {"transformers": "4.48.1"},
            "padded": True,
        }
    )

    assert request.adapter == AdapterSettings(
        kind="rslora", rank=8, targets=("q_proj", "v_proj"), dropout=0.1, dtype="fp32"
    )
    assert (request.weights, request.autocast, request.kbit_prepare) == ("nf4", None, True)
    assert (request.optimizer, request.accumulation) == ("paged-adamw-8bit", 8)
    assert request.lengths == (3, 5)
    assert (request.checkpointing, request.attention) == ("offloaded", "flash2")
    assert (request.loss, request.padded) == ("liger", True)
    assert request.transformers_version == (4, 48)


@pytest.mark.parametrize(
    ("fields", "allocator"),
    [
        ({}, "expandable"),
        ({"versions": {"transformers": "4.48.1"}}, "classic"),
        ({"loss": "torch"}, "classic"),
        ({"stack": "litgpt"}, "classic"),
        ({"loss": "torch", "allocator": "expandable"}, "expandable"),
    ],
)
def test_other_stacks_kept_the_classic_allocator(fields: dict[str, Any], allocator: str) -> None:
    """Only the launcher's own runs have expandable segments, unless a case says so."""
    assert request_of_case({**_LEAST, **fields}).allocator == allocator


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"batch": 4}, "batch"),
        ({"method": "full", "adapter": {"rank": 4}}, "adapter"),
        ({"device": "cpu", "attention": "flash2"}, "attention"),
        ({"weights": "fp32", "autocast": None, "attention": "flash2"}, "attention"),
        ({"device": "cpu", "gpu": "rtx-4090"}, "gpu"),
        ({"weights": ""}, "weights"),
        ({"allocator": ""}, "allocator"),
        ({"adapter": {"kind": ""}}, "adapter.kind"),
        ({"lengths": [2**70]}, "lengths"),
        ({"versions": {"transformers": 4.5}}, "versions"),
        ({"method": None}, "method"),
        ({"micro_batch": None}, "micro_batch"),
        ({"micro_batch": "4"}, "micro_batch"),
        ({"micro_batch": 4.0}, "micro_batch"),
        ({"micro_batch": True}, "micro_batch"),
        ({"micro_batch": 0}, "micro_batch"),
        ({"sequence_tokens": -1}, "sequence_tokens"),
        ({"method": "lora+"}, "method"),
        ({"weights": "nf4"}, "weights"),
        ({"method": "qlora", "weights": "bf16"}, "weights"),
        ({"trainable_layers": 2}, "trainable_layers"),
        ({"adapter": []}, "adapter"),
        ({"adapter": {"alpha": 2}}, "adapter.alpha"),
        ({"adapter": {"rank": 0}}, "adapter.rank"),
        ({"adapter": {"rank": "8"}}, "adapter.rank"),
        ({"adapter": {"dropout": 1}}, "adapter.dropout"),
        ({"adapter": {"targets": []}}, "adapter.targets"),
        ({"adapter": {"kind": "prefix"}}, "adapter.kind"),
        ({"optimizer": "lion"}, "optimizer"),
        ({"loss": "cut"}, "loss"),
        ({"autocast": "fp32"}, "autocast"),
        ({"checkpointing": True}, "checkpointing"),
        ({"lengths": [0]}, "lengths"),
        ({"lengths": "long"}, "lengths"),
        ({"versions": {"transformers": "newest"}}, "versions"),
        ({"gpus": 0}, "gpus"),
        ({"sharding": "zero9"}, "sharding"),
    ],
)
def test_an_impossible_field_is_named(fields: dict[str, Any], name: str) -> None:
    """The error carries the field, and its message says it too."""
    with pytest.raises(RequestError) as caught:
        request_of_case({**_LEAST, **fields})

    assert caught.value.field_name == name
    assert name in str(caught.value)


def test_a_task_the_model_has_no_head_for_is_refused() -> None:
    """A field that would have no effect on the answer is an error that names it."""
    with pytest.raises(RequestError, match="text-classification") as caught:
        _answer(task="image-classification")

    assert caught.value.field_name == "task"


def test_an_adapter_the_formula_does_not_know_is_sent_to_the_trace() -> None:
    """By its name, with the option that estimates it."""
    with pytest.raises(RequestError, match=r"adapter.kind vera .* --trace") as caught:
        _answer(adapter={"kind": "vera"})

    assert caught.value.field_name == "adapter.kind"


def test_an_answer_has_the_contracts_keys() -> None:
    """Keys, order and sums are those other programs rely on."""
    answer = _answer(id="a")

    assert list(answer) == ["id", "memory", "time", "verdict", "basis"]
    assert answer["id"] == "a"
    memory = answer["memory"]
    for name in ("allocated_bytes", "reserved_bytes", "device_bytes", "needed_bytes"):
        assert list(memory[name]) == ["expected", "low", "high"]
    assert sum(memory["parts"].values()) == memory["device_bytes"]["expected"]
    assert list(memory["parts"]) == [
        "weights_bytes", "adapters_bytes", "gradients_bytes", "optimizer_bytes",
        "activations_bytes", "logits_bytes", "temporaries_bytes", "runtime_bytes",
    ]  # fmt: skip
    assert {"tier", "runs", "median_error_fraction"} <= set(answer["basis"])


@pytest.mark.parametrize(
    ("gpu", "fits"), [("big", "yes"), ("small", "no"), ("unknown", None), (None, None)]
)
def test_a_card_gets_a_verdict(gpu: str | None, fits: str | None) -> None:
    """Without a known capacity the verdict is null."""
    verdict = _answer(gpu=gpu)["verdict"]

    assert verdict["fits"] == fits
    assert list(verdict) == ["fits", "capacity_bytes", "spare_bytes", "reason"]


def test_a_case_without_a_name_has_none() -> None:
    """An id is optional, and null where it is missing."""
    assert _answer()["id"] is None


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"method": "full", "optimizer": "adamw-in-backward", "accumulation": 2}, "optimizer"),
        ({"kbit_prepare": True}, "kbit_prepare"),
        ({"method": "full", "trainable_layers": 4}, "trainable_layers"),
        ({"adapter": {"rank": 5000}}, "adapter.rank"),
        ({"adapter": {"targets": ["W_o"]}}, "adapter.targets"),
    ],
)
def test_contradictions_are_named(fields: dict[str, Any], name: str) -> None:
    """Two fields that cannot go together, or a field and the model."""
    with pytest.raises(RequestError) as caught:
        _answer(**fields)

    assert caught.value.field_name == name
