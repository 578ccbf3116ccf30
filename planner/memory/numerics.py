"""Which dtype every tensor of a step has: bytes per element, decided once."""

from __future__ import annotations

from typing import NamedTuple

from hwdb.family import Family
from planner.request import QUANTIZED_WEIGHTS, TrainingRequest

_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}


class _Other16(int):
    """Two bytes, and not the same two as the products': bf16 beside fp16, or the other way round.

    One is cast to the other like to any dtype, and both together make fp32.
    """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Other16)

    def __ne__(self, other: object) -> bool:
        return not isinstance(other, _Other16)

    def __hash__(self) -> int:
        return hash((_Other16, 2))


OTHER_16 = _Other16(2)


def promoted(one: int, other: int) -> int:
    """Bytes an element of what comes of two dtypes (torch.promote_types)."""
    return max(one, other) if one == other or {int(one), int(other)} != {2} else 4


class Numerics(NamedTuple):
    """Bytes per element."""

    weights: int
    """Weights that are not quantized: embeddings, norms, head; all of them for full and lora."""
    compute: int
    """What matrix products run in."""
    embeddings: int
    """What leaves the embeddings; blocks may make the residual stream wider."""
    entering: int
    """What enters the first block: embeddings, behind their norm where they have one."""
    norm_weights: int
    vectors: int
    """Weights of a block that are neither linears nor norms: experts, which bitsandbytes leaves."""
    head_weights: int
    adapters: int | None
    autocast: bool
    widens: bool
    """Whether autocast runs norms, softmax and powers in fp32: its list for the CPU has none."""
    quantized: bool
    int8: bool
    half: bool
    """Whether products are in fp16."""


def numerics_of(request: TrainingRequest, family: Family) -> Numerics:
    """The dtypes a request leads to."""
    asked = request.weights in QUANTIZED_WEIGHTS
    quantized = asked and _is_packed(request, family)
    base = 2 if asked else _bytes_of(request.weights, request)
    if asked and request.device == "cpu":
        base = 4  # the launcher loads embeddings and norms in fp32 there and computes in fp32
    wide = 4 if request.kbit_prepare else base
    adapters = None if request.adapter is None else _bytes_of(request.adapter.dtype, request)
    embeddings = base if _cast_back(request, family) else wide
    widens = request.autocast is not None and request.device == "cuda"
    # Autocast runs layer_norm in fp32 and leaves its result so.
    normed = bool(family.embedding_norms) and widens
    return Numerics(
        weights=base if quantized or not asked else wide,
        compute=2 if request.autocast else base,
        embeddings=embeddings,
        entering=4 if normed and family.norm_kind == "layer" else embeddings,
        norm_weights=wide,
        vectors=wide,
        head_weights=base if casts_back(request) else wide,
        adapters=adapters,
        autocast=request.autocast is not None,
        widens=widens,
        quantized=quantized,
        int8=request.weights == "int8",
        half="fp16" in (request.autocast, request.autocast or request.weights),
    )


def _bytes_of(dtype: str, request: TrainingRequest) -> int:
    """Bytes of a dtype; a 16-bit one that products do not run in is another."""
    quantized = request.weights in QUANTIZED_WEIGHTS
    products = request.autocast or ("bf16" if quantized else request.weights)
    unlike = {dtype, products} == {"bf16", "fp16"} and request.stack == "transformers"
    return OTHER_16 if unlike else _BYTES[dtype]


CAST_BACK = frozenset(("embed_tokens", "wte", "wpe"))
"""Embeddings that TRL's peft_module_casting_to_bf16 made 16-bit again, as it did the head; the
norms stay fp32."""


def _cast_back(request: TrainingRequest, family: Family) -> bool:
    if not casts_back(request):
        return False
    tied = bool(family.config_defaults.get("tie_word_embeddings"))
    return tied or all(table.name in CAST_BACK for table in family.embeddings)


def casts_back(request: TrainingRequest) -> bool:
    """Whether TRL makes the head and most embeddings 16-bit again after k-bit preparation.

    It did under bf16 autocast while it went with Transformers 4, before it had its fused head;
    they stay fp32 since, as measured with TRL 1.16 (bench/results/h100.jsonl).
    """
    if request.autocast != "bf16" or request.task != "causal-lm":
        return False
    version = request.transformers_version
    return request.loss != "chunked" if version is None else version < (5, 0)


def _is_packed(request: TrainingRequest, family: Family) -> bool:
    """Whether the quantizer finds the model's linears; Transformers 5 asks for their very type."""
    version = request.transformers_version
    return not family.own_linears or (version is not None and version < (5, 0))
