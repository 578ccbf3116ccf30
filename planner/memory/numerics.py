"""Which dtype every tensor of a step has: bytes per element, decided once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hwdb.family import Family, Tensor
from planner.request import QUANTIZED_WEIGHTS, TrainingRequest

_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}


class Numerics(NamedTuple):
    """Bytes per element."""

    weights: int
    """Weights that are not quantized: embeddings, norms, head; all of them for full and lora."""
    compute: int
    """What matrix products run in."""
    embeddings: int
    """What leaves the embeddings; blocks may make the residual stream wider."""
    norm_weights: int
    vectors: int
    """Weights of a block that are neither linears nor norms: experts, which bitsandbytes leaves."""
    head_weights: int
    adapters: int | None
    autocast: bool
    quantized: bool
    int8: bool


def numerics_of(request: TrainingRequest, family: Family) -> Numerics:
    """The dtypes a request leads to."""
    quantized = request.weights in QUANTIZED_WEIGHTS
    base = 2 if quantized else _BYTES[request.weights]
    if quantized and request.device == "cpu":
        base = 4  # the launcher loads embeddings and norms in fp32 there and computes in fp32
    wide = 4 if request.kbit_prepare else base
    adapters = None if request.adapter is None else _BYTES[request.adapter.dtype]
    return Numerics(
        weights=base,
        compute=2 if request.autocast else base,
        embeddings=base if _cast_back(request, family.embeddings) else wide,
        norm_weights=wide,
        vectors=wide,
        head_weights=base if request.autocast == "bf16" else wide,
        adapters=adapters,
        autocast=request.autocast is not None,
        quantized=quantized,
        int8=request.weights == "int8",
    )


_CAST_BACK = frozenset(("embed_tokens", "wte", "wpe"))
"""Embeddings that TRL's peft_module_casting_to_bf16 makes 16-bit again under bf16 autocast, as it
does the head; the norms stay fp32."""


def _cast_back(request: TrainingRequest, tables: Iterable[Tensor]) -> bool:
    return request.autocast == "bf16" and all(table.name in _CAST_BACK for table in tables)
