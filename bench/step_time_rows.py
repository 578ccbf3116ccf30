"""Measured runs of others as what the step-time model takes: a shape, a request, a card, seconds.

Sources differ in what their seconds mean; each reader below says what it takes them for. Rows
whose lengths or settings are not known well enough are left out, or marked `learn_from=False`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import hwdb
from bench.step_time_shapes import shape_named
from planner.request import AdapterSettings, TrainingRequest
from planner.shape import ModelShape
from planner.speed.work import Execution

Row = Mapping[str, str]

_CARDS = {
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
_FABRIC = {"h100-sxm5-80gb": 300e9, "a100-sxm4-80gb": 150e9, "a100-sxm4-40gb": 150e9}
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
    return hwdb.find_card(_CARDS[name])


def measured_steps(path: Path) -> list[MeasuredStep]:
    """Every row with a time, of a model and card that are known."""
    steps = []
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            reader = _READERS.get(row["id"].split("-")[0])
            usable = row["has_time"] == "yes" and row["method"] in ("full", "lora", "qlora")
            if reader is None or not usable or row["gpu"] not in _CARDS:
                continue
            shape = shape_named(row["model"].split("/")[-1])
            if shape is not None:
                steps += list(reader(row, shape))
    return steps


def _number(text: str, default: float = 0.0) -> float:
    try:
        return float(text)
    except ValueError:
        return default


def _request(row: Row, shape: ModelShape, **other: Any) -> TrainingRequest:
    method = row["method"]
    quantized = {"nf4": "nf4", "nf4-dq": "nf4-dq", "int8": "int8"}
    weights = quantized.get(row["quant"], "nf4-dq") if method == "qlora" else "bf16"
    dropout = other.pop("dropout", 0.1)
    dtype = other.pop("adapter_dtype", "fp32")
    adapter = None
    if method != "full":
        rank = int(_number(row["lora_rank"], 16))
        targets = _targets(row["target_modules"], shape)
        adapter = AdapterSettings(rank=rank, targets=targets, dropout=dropout, dtype=dtype)
    values: dict[str, Any] = {
        "method": method,
        "micro_batch": int(_number(row["micro_batch"], 1)),
        "accumulation": max(1, int(_number(row["grad_accum"], 1))),
        "sequence_tokens": 1,
        "adapter": adapter,
        "weights": weights,
        "optimizer": "adamw",
        "checkpointing": "none" if row["gradient_checkpointing"] in ("no", "") else "full",
        "attention": "eager" if row["attn"].startswith("eager") else "flash2",
        "loss": "torch",
        "gpus": int(_number(row["n_gpus"], 1)),
        "sharding": _sharding(row),
    }
    return TrainingRequest(**(values | other))


def _sharding(row: Row) -> str:
    text = row["sharding"]
    if _number(row["n_gpus"], 1) == 1:
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


def _step(row: Row, shape: ModelShape, request: TrainingRequest, **values: Any) -> MeasuredStep:
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


def _fms(row: Row, shape: ModelShape) -> Iterator[MeasuredStep]:
    """Packed rows of 4096 tokens; tokens_per_s is the sum over the GPUs."""
    found = re.search(r"framework_config=([^;]+);", row["notes"])
    frame = found[1] if found else "none"
    length = _number(row["seq_len_effective"])
    if row["packing"] != "yes" or not length or "moe" in frame or "70b" in row["model"]:
        return
    quantized = row["method"] == "qlora"
    fused = "liger" if row["fused_ce"] == "liger" else "triton" if "foak" in frame else "torch"
    autocast = "fp16" if "fp16 autocast" in row["compute_dtype"] else "bf16"
    request = _request(
        row,
        shape,
        loss=fused,
        autocast=autocast
        if "autocast" in row["compute_dtype"].replace("no autocast", "")
        else None,
        kbit_prepare=frame.startswith("baseline-peft-bnb"),
    )
    gpus = request.gpus
    # FMS-398 ran with its memory nearly full: half as fast as its twin.
    yield _step(
        row,
        shape,
        request,
        row_tokens=length,
        seconds=request.micro_batch * length * gpus / _number(row["tokens_per_s"]),
        execution=Execution(whole_base=quantized),
        learn_from=row["id"] != "FMS-398",
    )


def _qwen(row: Row, shape: ModelShape) -> Iterator[MeasuredStep]:
    """Step time of an optimizer step; "full" ran under ZeRO-3 on one GPU, ruled by its host."""
    length, step = _number(row["seq_len_effective"]), _number(row["step_time_s"])
    if not length or not step:
        return
    full = row["sharding"] == "zero3"
    trains_head = "lm_head full" in row["target_modules"]
    request = _request(row, shape, sharding="none", dropout=0.05, autocast="bf16")
    yield _step(
        row,
        shape,
        request,
        row_tokens=length,
        seconds=step / request.accumulation,
        execution=Execution(gptq_of_2023="gptq" in row["quant"]),
        learn_from=not full and not trains_head,
    )


def _tune(row: Row, shape: ModelShape) -> Iterator[MeasuredStep]:
    """Packed Alpaca with a block mask, about 200 tokens a document."""
    length = _number(row["seq_len_effective"])
    if row["packing"] != "yes" or not length:
        return
    compiled = int(row["id"][-3:]) >= 11
    request = _request(
        row,
        shape,
        optimizer="adamw-8bit" if "8bit" in row["optimizer"] else "adamw",
        loss="chunked" if row["fused_ce"] == "chunked" else "torch",
        adapter_dtype="bf16",
        dropout=0.0,
        attention="sdpa",
        autocast=None,
        stack="torchtune",
    )
    yield _step(
        row,
        shape,
        request,
        row_tokens=length,
        seconds=request.micro_batch * length / _number(row["tokens_per_s"]),
        execution=Execution(compiled=compiled, document_tokens=200.0),
    )


def _peft(row: Row, shape: ModelShape) -> Iterator[MeasuredStep]:
    """MetaMathQA, batches padded to about 225 tokens; runs that emptied the cache each step."""
    emptied = "every step" in row["notes"]
    request = _request(row, shape, dropout=0.0, attention="sdpa", autocast=None)
    yield _step(
        row,
        shape,
        request,
        row_tokens=225.0,
        seconds=_number(row["step_time_s"]),
        learn_from=not emptied,
    )


def _mosaic(row: Row, shape: ModelShape) -> Iterator[MeasuredStep]:
    """Full training under FSDP on 8 to 512 GPUs with the Triton attention of 2023."""
    length = _number(row["seq_len_max"])
    request = _request(row, shape, optimizer="adamw-fused", gpus=int(_number(row["n_gpus"])))
    gpus = request.gpus
    card = _CARDS[row["gpu"]]
    yield _step(
        row,
        shape,
        request,
        row_tokens=length,
        seconds=request.micro_batch * length * gpus / _number(row["tokens_per_s"]),
        execution=Execution(fp8=row["compute_dtype"] == "amp_fp8", attention_of_2023=True),
        fabric=_FABRIC[card],
    )


def _fsdpq(row: Row, shape: ModelShape) -> Iterator[MeasuredStep]:
    """Two GeForce cards under FSDP; rows whose page contradicts itself are left out."""
    length = _number(row["seq_len_effective"])
    doubtful = row["completeness"] != "5" or row["id"] == "FSDPQ-001"
    if doubtful or "offload" in row["sharding"] or not length:
        return
    request = _request(row, shape, adapter_dtype="bf16", attention="sdpa", autocast=None)
    yield _step(row, shape, request, row_tokens=length, seconds=_number(row["step_time_s"]))


def _hfdoc(row: Row, shape: ModelShape) -> Iterator[MeasuredStep]:
    """BERT in fp32 and under fp16 autocast."""
    half = "fp16" in row["compute_dtype"]
    request = _request(
        row,
        shape,
        task="text-classification",
        weights="fp32",
        autocast="fp16" if half else None,
    )
    samples = _number(row["samples_per_s"])
    yield _step(row, shape, request, row_tokens=512.0, seconds=request.micro_batch / samples)


_READERS = {
    "FMS": _fms,
    "QWEN": _qwen,
    "TUNE": _tune,
    "PEFT": _peft,
    "MOSAIC": _mosaic,
    "FSDPQ": _fsdpq,
    "HFDOC": _hfdoc,
}
