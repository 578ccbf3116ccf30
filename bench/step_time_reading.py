"""A line of the table of measured runs as a shape, a request, a card and seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import hwdb
from planner.request import AdapterSettings, TrainingRequest
from planner.shape import ModelShape
from planner.speed.work import Execution

Row = Mapping[str, str]

CARDS = {
    "L40S": "l40s",
    "A100-SXM4-40GB": "a100-sxm4-40gb",
    "V100-SXM2-16GB": "v100-sxm2-16gb",
    "RTX 3090": "rtx-3090",
    "RTX 4090": "rtx-4090",
    "H100-SXM5-80GB": "h100-sxm5-80gb",
    "A100-SXM4-80GB": "a100-sxm4-80gb",
    # No L40 has the 40 GB the file states; its rates are those of an L40S.
    "L40 (file says 40gb)": "l40s",
    "A100": "a100-sxm4-80gb",
}
FABRIC = {"h100-sxm5-80gb": 300e9, "a100-sxm4-80gb": 150e9, "a100-sxm4-40gb": 150e9}
"""Bytes a second between the nodes of MOSAIC's cluster."""


@dataclass(frozen=True)
class MeasuredStep:
    """One run: seconds of a micro-batch on one GPU, the optimizer's share included."""

    ident: str
    source: str
    shape: ModelShape
    request: TrainingRequest
    execution: Execution
    card: hwdb.Card
    tokens: float
    """Of a micro-batch, padding included."""
    row_tokens: float
    seconds: float
    setting: tuple[object, ...]
    """Model, method and kernels: rows of one setting differ in batch and length only."""
    fabric: float = 25e9
    learn_from: bool = True


@cache
def _card(name: str) -> hwdb.Card:
    return hwdb.find_card(CARDS[name])


def number(text: str, default: float = 0.0) -> float:
    try:
        return float(text)
    except ValueError:
        return default


def request_of(row: Row, shape: ModelShape, **other: Any) -> TrainingRequest:
    method = row["method"]
    quantized = {"nf4": "nf4", "nf4-dq": "nf4-dq", "int8": "int8"}
    weights = quantized.get(row["quant"], "nf4-dq") if method == "qlora" else "bf16"
    dropout = other.pop("dropout", 0.1)
    dtype = other.pop("adapter_dtype", "fp32")
    adapter = None
    if method != "full":
        rank = int(number(row["lora_rank"], 16))
        targets = _targets(row["target_modules"], shape)
        adapter = AdapterSettings(rank=rank, targets=targets, dropout=dropout, dtype=dtype)
    values: dict[str, Any] = {
        "method": method,
        "micro_batch": int(number(row["micro_batch"], 1)),
        "accumulation": max(1, int(number(row["grad_accum"], 1))),
        "sequence_tokens": 1,
        "adapter": adapter,
        "weights": weights,
        "optimizer": "adamw",
        "checkpointing": "none" if row["gradient_checkpointing"] in ("no", "") else "full",
        "attention": "eager" if row["attn"].startswith("eager") else "flash2",
        "loss": "torch",
        "gpus": int(number(row["n_gpus"], 1)),
        "sharding": _sharding(row),
        # None ran with the libraries of today; which ones is known only of some.
        "transformers_version": (4, 45),
    }
    return TrainingRequest(**(values | other))


def _sharding(row: Row) -> str:
    text = row["sharding"]
    if number(row["n_gpus"], 1) == 1:
        return "none"
    if "NO_SHARD" in text:
        return "ddp"
    if "GRAD_OP" in text:
        return "zero2"
    return "zero3" if "zero3" in text else "fsdp"


_LETTERS = {
    "q": ("q_proj", "c_attn", "Wqkv"),
    "k": ("k_proj",),
    "v": ("v_proj",),
    "o": ("o_proj",),
    "gate": ("gate_proj",),
    "up": ("up_proj",),
    "down": ("down_proj",),
}


def _targets(text: str, shape: ModelShape) -> tuple[str, ...]:
    """Names of linears in the words of the tables: "q+v", "q_proj,k_proj", "c_attn,c_proj"."""
    text = text.lower()
    known = [line.name for line in shape.linears]
    if "all-linear" in text or ("c_attn" in text and "c_proj" in text):
        return ("all-linear",)
    if "c_attn" in text or "query_key_value" in text:
        wanted = ["q", "k", "v"]
    else:
        wanted = [n for n in _LETTERS if re.search(rf"(^|[+_ ]){n}(_proj)?($|[+ ])", text)]
        wanted += ["gate", "up", "down"] if "mlp" in text else []
    names = [name for n in wanted for name in _LETTERS[n] if name in known]
    return tuple(dict.fromkeys(names)) or (known[0],)


def step_of(row: Row, shape: ModelShape, request: TrainingRequest, **values: Any) -> MeasuredStep:
    execution = values.pop("execution", Execution())
    row_tokens = values["row_tokens"]
    whole = replace(request, sequence_tokens=max(1, round(row_tokens)))
    setting = (
        row["model"], row["gpu"], whole.gpus, whole.sharding, whole.method, whole.weights,
        whole.loss, whole.kbit_prepare, whole.checkpointing, whole.autocast, execution,
    )  # fmt: skip
    return MeasuredStep(
        ident=row["id"],
        source=row["id"].split("-")[0],
        shape=shape,
        request=whole,
        execution=execution,
        card=_card(row["gpu"]),
        tokens=whole.micro_batch * row_tokens,
        setting=setting,
        **values,
    )
