"""Shapes and requests that tests start from and change in one place."""

from __future__ import annotations

from typing import Any

import hwdb
from planner.advice.settings import Asked, DataFacts
from planner.budget import Budget, budget_of_gib
from planner.plan import Plan, PlannedModel, make_plan
from planner.request import AdapterSettings, TrainingRequest
from planner.shape import ModelShape, shape_of

TINY_LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 256,
    "intermediate_size": 704,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 2000,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": False,
}


def shape_of_config(config: dict[str, Any]) -> ModelShape:
    """The shape of a config.json, its family looked up as the commands do."""
    family = hwdb.find_family(str(config.get("model_type", "")))
    return shape_of(config, family, hwdb.families()["llama"])


def tiny_llama(**changes: Any) -> ModelShape:
    """A Llama of 3 million parameters."""
    return shape_of_config({**TINY_LLAMA, **changes})


def known_model(name: str) -> ModelShape:
    """The shape of a row of hwdb."""
    model = hwdb.find_model(name)
    family = hwdb.find_family(model.architecture)
    assert family is not None
    return shape_of_config(hwdb.config_of(model, family))


def request_of(method: str = "lora", **changes: Any) -> TrainingRequest:
    """A step of one method with its usual weights and adapter; `changes` win."""
    usual: dict[str, Any] = {
        "micro_batch": 2,
        "sequence_tokens": 512,
        "weights": "nf4-dq" if method == "qlora" else "bf16",
        "adapter": None if method == "full" else AdapterSettings(),
        "autocast": "bf16",
    }
    return TrainingRequest(method=method, **{**usual, **changes})  # type: ignore[arg-type]


def planned(name: str = "llama-3.1-8b") -> PlannedModel:
    """A model of hwdb as a plan takes it."""
    row = hwdb.find_model(name)
    return PlannedModel(
        id=row.id,
        hub_id=row.hub_id,
        revision=None,
        folder=None,
        source="hwdb",
        shape=known_model(name),
    )


def data_facts(**changes: Any) -> DataFacts:
    """A thousand chats of up to 700 tokens."""
    usual: dict[str, Any] = {
        "path": "/data/train.jsonl",
        "layout": "messages",
        "rows": 1000,
        "longest_tokens": 700,
        "lengths_exact": True,
        "how": "counted with the model's tokenizer",
    }
    return DataFacts(**{**usual, **changes})


def plan_for(gib: float | Budget | None, *, model: str = "llama-3.1-8b", **asked: Any) -> Plan:
    """The plan for a card of so many GiB; None plans without a card."""
    budget = budget_of_gib(gib) if isinstance(gib, int | float) else gib
    return make_plan(planned(model), budget, Asked(**asked), data_facts())
