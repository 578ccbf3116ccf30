"""What each source of measured runs means by its seconds.

Rows whose lengths or settings are not known well enough are left out, or marked
`learn_from=False`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bench.step_time_reading import CARDS, FABRIC, MeasuredStep, Row, number, request_of, step_of
from planner.shape import ModelShape
from planner.speed.work import Execution


def _fms(row: Row, shape: ModelShape) -> Iterator[MeasuredStep]:
    """Packed rows of 4096 tokens; tokens_per_s is the sum over the GPUs."""
    found = re.search(r"framework_config=([^;]+);", row["notes"])
    frame = found[1] if found else "none"
    length = number(row["seq_len_effective"])
    if row["packing"] != "yes" or not length or "moe" in frame or "70b" in row["model"]:
        return
    quantized = row["method"] == "qlora"
    fused = "liger" if row["fused_ce"] == "liger" else "triton" if "foak" in frame else "torch"
    autocast = "fp16" if "fp16 autocast" in row["compute_dtype"] else "bf16"
    request = request_of(
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
    yield step_of(
        row,
        shape,
        request,
        row_tokens=length,
        seconds=request.micro_batch * length * gpus / number(row["tokens_per_s"]),
        execution=Execution(whole_base=quantized),
        learn_from=row["id"] != "FMS-398",
    )


def _qwen(row: Row, shape: ModelShape) -> Iterator[MeasuredStep]:
    """Step time of an optimizer step; "full" ran under ZeRO-3 on one GPU."""
    length, step = number(row["seq_len_effective"]), number(row["step_time_s"])
    if not length or not step:
        return
    full = row["sharding"] == "zero3"
    trains_head = "lm_head full" in row["target_modules"]
    sharding = "zero3" if full else "none"
    request = request_of(row, shape, sharding=sharding, dropout=0.05, autocast="bf16")
    yield step_of(
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
    length = number(row["seq_len_effective"])
    if row["packing"] != "yes" or not length:
        return
    compiled = int(row["id"][-3:]) >= 11
    request = request_of(
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
    yield step_of(
        row,
        shape,
        request,
        row_tokens=length,
        seconds=request.micro_batch * length / number(row["tokens_per_s"]),
        execution=Execution(compiled=compiled, document_tokens=200.0),
    )


def _peft(row: Row, shape: ModelShape) -> Iterator[MeasuredStep]:
    """MetaMathQA, batches padded to about 225 tokens; runs that emptied the cache each step."""
    emptied = "every step" in row["notes"]
    request = request_of(row, shape, dropout=0.0, attention="sdpa", autocast=None)
    yield step_of(
        row,
        shape,
        request,
        row_tokens=225.0,
        seconds=number(row["step_time_s"]),
        learn_from=not emptied,
    )


def _mosaic(row: Row, shape: ModelShape) -> Iterator[MeasuredStep]:
    """Full training under FSDP on 8 to 512 GPUs with the Triton attention of 2023."""
    length = number(row["seq_len_max"])
    request = request_of(row, shape, optimizer="adamw-fused", gpus=int(number(row["n_gpus"])))
    gpus = request.gpus
    card = CARDS[row["gpu"]]
    yield step_of(
        row,
        shape,
        request,
        row_tokens=length,
        seconds=request.micro_batch * length * gpus / number(row["tokens_per_s"]),
        execution=Execution(fp8=row["compute_dtype"] == "amp_fp8", attention_of_2023=True),
        fabric=FABRIC[card],
    )


def _fsdpq(row: Row, shape: ModelShape) -> Iterator[MeasuredStep]:
    """Two GeForce cards under FSDP; rows whose page contradicts itself are left out."""
    length = number(row["seq_len_effective"])
    doubtful = row["completeness"] != "5" or row["id"] == "FSDPQ-001"
    if doubtful or "offload" in row["sharding"] or not length:
        return
    request = request_of(row, shape, adapter_dtype="bf16", attention="sdpa", autocast=None)
    yield step_of(row, shape, request, row_tokens=length, seconds=number(row["step_time_s"]))


def _hfdoc(row: Row, shape: ModelShape) -> Iterator[MeasuredStep]:
    """BERT in fp32 and under fp16 autocast."""
    half = "fp16" in row["compute_dtype"]
    request = request_of(
        row,
        shape,
        task="text-classification",
        weights="fp32",
        autocast="fp16" if half else None,
    )
    samples = number(row["samples_per_s"])
    yield step_of(row, shape, request, row_tokens=512.0, seconds=request.micro_batch / samples)


READERS = {
    "FMS": _fms,
    "QWEN": _qwen,
    "TUNE": _tune,
    "PEFT": _peft,
    "MOSAIC": _mosaic,
    "FSDPQ": _fsdpq,
    "HFDOC": _hfdoc,
}
