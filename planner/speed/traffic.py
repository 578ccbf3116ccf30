"""Bytes that a block reads and writes outside its products, and the kernels it launches.

Counted from what Transformers runs: a norm written in Python is seven kernels, a fused one is one;
PEFT's adapter is five to seven beside each linear it adapts; bitsandbytes returns the dtype it was
given, so that after `prepare_model_for_kbit_training`, or behind a LayerNorm under autocast, what
lies between the products is fp32.
"""

from __future__ import annotations

from typing import NamedTuple

from planner.memory.numerics import numerics_of
from planner.request import TrainingRequest
from planner.shape import ModelShape
from planner.speed.dora import DoraTraffic, dora_traffic

_POSITION_TABLES = ("wpe", "embed_positions", "position_embeddings")
_PYTHON_ACTIVATIONS = {"gelu_new": (32.0, 8), "gelu_fast": (32.0, 8), "quick_gelu": (8.0, 2)}
"""Activations that Transformers writes in Python: bytes per number and kernels."""

_BACKWARD_BYTES = 1.8
_BACKWARD_KERNELS = 1.5
_FUSED_ADAPTER = 0.3
"""Share of an adapter's traffic that is left when it runs in one kernel with its linear."""


class Linears(NamedTuple):
    """The products of a block with one token."""

    sides: tuple[tuple[str, int, int], ...]
    """Name, inputs and outputs of each."""
    adapted: tuple[tuple[str, int, int], ...]
    """Those with an adapter."""
    weights: float
    packed_weights: float
    """Elements that are stored in 4 or 8 bit."""
    modules: int


class Dtypes(NamedTuple):
    """What numbers between products are made of."""

    stream: float
    """Width of the residual stream, in units of 2 bytes."""
    inner: float
    """Width of what lies between products, in units of 2 bytes."""
    single_precision: bool


class Traffic(NamedTuple):
    """One block and one token."""

    token_bytes: float
    adapter_bytes: float
    score_bytes: float
    """Per token and token of the row."""
    kernels: float
    backward_token_bytes: float
    backward_adapter_bytes: float
    backward_score_bytes: float
    backward_kernels: float
    weight_bytes: float
    """Weights cast, or put together with an adapter's, in a forward pass."""
    dtypes: Dtypes


def runs_fused(request: TrainingRequest) -> bool:
    """Whether norms, rotation and activation are one kernel each."""
    return request.fused_kernels or request.stack == "unsloth"


def block_traffic(
    shape: ModelShape, request: TrainingRequest, linears: Linears, *, compiled: bool
) -> Traffic:
    """Elementwise traffic and kernels of one block."""
    dtypes = _dtypes(shape, request)
    fused = runs_fused(request) or compiled
    plain, kernels = _plain_bytes(shape, dtypes, fused=fused)
    cast, cast_kernels = _cast_bytes(linears, dtypes)
    kernels += cast_kernels + len(linears.sides)
    backward, backward_kernels = _BACKWARD_BYTES * plain + cast, _BACKWARD_KERNELS * kernels
    adapter = _adapter_bytes(request, linears, dtypes)
    dora = _dora_bytes(request, linears, dtypes)
    scores = backward_scores = 0.0
    if request.attention == "eager":
        # Scaling, mask, softmax in fp32, cast and, in encoders, dropout.
        wide = 2.0 if dtypes.single_precision else 1.5 if request.autocast else 1.0
        per_token = shape.sizes.get("n", 1) * wide
        scores, backward_scores = 26.0 * per_token, 40.0 * per_token
        kernels += 8
        backward_kernels += 8
    casts_weights = request.weights == "fp32" and request.autocast is not None
    unpacking = 2 * linears.modules if linears.packed_weights else 0
    return Traffic(
        token_bytes=plain + cast + dora.forward_bytes,
        adapter_bytes=adapter.forward_bytes,
        score_bytes=scores,
        kernels=kernels
        + adapter.forward_kernels
        + dora.forward_kernels
        + unpacking
        + (2 * len(linears.sides) if casts_weights else 0),
        backward_token_bytes=backward + dora.backward_bytes,
        backward_adapter_bytes=adapter.backward_bytes,
        backward_score_bytes=backward_scores,
        backward_kernels=backward_kernels
        + adapter.backward_kernels
        + dora.backward_kernels
        + unpacking,
        weight_bytes=dora.weight_bytes + (6.0 * linears.weights if casts_weights else 0.0),
        dtypes=dtypes,
    )


def _dtypes(shape: ModelShape, request: TrainingRequest) -> Dtypes:
    numerics = numerics_of(request, shape.family)
    autocast_norms = numerics.autocast and shape.family.norm_kind == "layer"
    wide_norms = numerics.norm_weights == 4 or autocast_norms
    return Dtypes(
        stream=numerics.norm_weights / 2 if not autocast_norms else 2.0,
        inner=2.0 if wide_norms and (numerics.quantized or numerics.compute == 4) else 1.0,
        single_precision=numerics.compute == 4,
    )


def _plain_bytes(shape: ModelShape, dtypes: Dtypes, *, fused: bool) -> tuple[float, float]:
    """Norms, positions, activation and residual: bytes per token and kernels."""
    family, sizes = shape.family, shape.sizes
    hidden, queries = shape.hidden_size, sizes.get("q", shape.hidden_size)
    keys = sizes.get("k", queries)
    names = [norm.name for norm in family.norms]
    head_norms = "q_norm" in names
    norms = max(1, len(names) - (2 if head_norms else 0))
    rotates = family.kind == "decoder" and not any(
        table.name in _POSITION_TABLES for table in family.embeddings
    )
    rotates = rotates and family.model_type not in ("bloom", "mpt")
    in_python = family.norm_kind == "rms" and not fused
    # RMSNorm computes in fp32 whatever comes in; LayerNorm is one kernel of the stream's width.
    norm = 36.0 if in_python else 4.0 * dtypes.stream
    kernels = norms * (7 if in_python else 1)
    total = norms * norm * hidden
    if head_norms:
        total += norm * (queries + keys)
        kernels += 2 * (7 if in_python else 1)
    if rotates:
        total += (4.0 if fused else 20.0) * (queries + keys) * dtypes.inner
        kernels += 2 if fused else 14
    bytes_, launched = _activation(shape, fused=fused)
    total += bytes_ * dtypes.inner + 12.0 * hidden * dtypes.stream + 4.0 * queries * dtypes.inner
    kernels += launched + 10
    if family.kind == "encoder":
        # Two dropouts of the stream, each with its mask.
        total += 10.0 * hidden * dtypes.stream
        kernels += 2
    if family.experts is not None:
        # Sorting tokens by expert and adding their results up again.
        total += 8.0 * hidden * (1 + shape.experts_per_token)
        kernels += 16
    return total, float(kernels)


def _activation(shape: ModelShape, *, fused: bool) -> tuple[float, int]:
    sizes = shape.sizes
    width = float(sizes.get("i", 0))
    if shape.family.experts is not None:
        width = float(shape.experts_per_token * sizes.get("e", 0))
    if shape.family.mlp == "gated":
        return (6.0 if fused else 10.0) * width, 1 if fused else 2
    per_number, kernels = _PYTHON_ACTIVATIONS.get(shape.activation, (4.0, 1))
    return (4.0 * width, 1) if fused else (per_number * width, kernels)


def _cast_bytes(linears: Linears, dtypes: Dtypes) -> tuple[float, float]:
    """Casts around products whose numbers come or go in fp32 and are multiplied in 16 bit."""
    if dtypes.single_precision:
        return 0.0, 0.0
    if dtypes.inner > 1:
        total = sum(6.0 * (inputs + outputs) for _, inputs, outputs in linears.sides)
        return total, 2.0 * len(linears.sides)
    if dtypes.stream > 1:
        entering = [inputs for _, inputs, _ in linears.sides]
        return 6.0 * sum(entering) * 0.7, 0.7 * len(entering)
    return 0.0, 0.0


class _Adapters(NamedTuple):
    forward_bytes: float
    forward_kernels: float
    backward_bytes: float
    backward_kernels: float


class _AdapterTraffic(NamedTuple):
    """Bytes for each number that enters or leaves an adapted linear."""

    entering: float
    leaving: float
    backward_entering: float
    backward_leaving: float
    casts: float
    """Kernels of casts, forward."""


# Casts, thin products, scaling and addition as PEFT runs them, dropout left out.
_ADAPTER_BYTES = {
    "16 bit": _AdapterTraffic(2.0, 12.0, 10.0, 8.0, 0.0),
    # The input becomes fp32, autocast makes it 16 bit again.
    "autocast": _AdapterTraffic(14.0, 12.0, 22.0, 8.0, 2.0),
    # Products in fp32; the sum is fp32 too and cast back.
    "fp32": _AdapterTraffic(10.0, 28.0, 20.0, 28.0, 2.0),
    # Everything between products is fp32 already.
    "wide": _AdapterTraffic(8.0, 16.0, 22.0, 14.0, 2.0),
}
_DROPOUT_BYTES = {2: 5.0, 4: 9.0}


def _adapter_bytes(request: TrainingRequest, linears: Linears, dtypes: Dtypes) -> _Adapters:
    """PEFT's adapters: cast, dropout, two thin products, scaling, addition."""
    adapter = request.adapter
    if adapter is None:
        return _Adapters(0.0, 0.0, 0.0, 0.0)
    kind = "fp32" if request.autocast is None else "autocast"
    kind = "16 bit" if adapter.dtype == "bf16" else kind
    traffic = _ADAPTER_BYTES["wide" if dtypes.inner > 1 else kind]
    dropout = _DROPOUT_BYTES[2 if traffic.casts == 0 else 4] if adapter.dropout else 0.0
    fused = runs_fused(request) and (linears.packed_weights or request.stack == "unsloth")
    share = _FUSED_ADAPTER if fused else 1.0
    inputs = sum(side[1] for side in linears.adapted)
    outputs = sum(side[2] for side in linears.adapted)
    launched = len(linears.adapted) * ((1.0 if adapter.dropout else 0.0) + traffic.casts)
    return _Adapters(
        forward_bytes=share * (inputs * (traffic.entering + dropout) + outputs * traffic.leaving),
        forward_kernels=5 * len(linears.adapted) + launched,
        backward_bytes=share
        * (inputs * (traffic.backward_entering + dropout) + outputs * traffic.backward_leaving),
        backward_kernels=8 * len(linears.adapted) + launched,
    )


_NO_DORA = DoraTraffic(0.0, 0.0, 0.0, 0, 0)


def _dora_bytes(request: TrainingRequest, linears: Linears, dtypes: Dtypes) -> DoraTraffic:
    adapter = request.adapter
    if adapter is None or adapter.kind != "dora":
        return _NO_DORA
    wide = adapter.dtype == "fp32"
    between = 4 if dtypes.inner > 1 else 2
    # Over quantized weights PEFT leaves the cast of what enters to autocast.
    casts = request.autocast is None or not linears.packed_weights
    return dora_traffic(
        linears.adapted,
        entering=(4 if wide else 2) if casts else between,
        product=4 if wide and request.autocast is None else 2,
        base=between,
    )
