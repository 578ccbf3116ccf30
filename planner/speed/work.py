"""What a step computes and moves: products, attention, traffic and kernels, apart from any card.

Everything is counted for one block and one token, so that a step of any batch and length is a
few multiplications: `T` tokens of the micro-batch, `S` tokens of a row as attention sees it.
Multiplications with frozen weights have no weight gradient; the gradient of the activations is
always paid.
"""

from __future__ import annotations

from typing import NamedTuple

from hwdb.symbols import extent
from planner.memory.adapted import adapted_linears, adapter_parameters
from planner.request import QUANTIZED_WEIGHTS, TrainingRequest
from planner.shape import ModelShape
from planner.speed.traffic import Linears, Traffic, block_traffic


class Execution(NamedTuple):
    """How a step is run, beyond what a request says."""

    compiled: bool = False
    """torch.compile over the blocks."""
    document_tokens: float | None = None
    """Mean document inside a packed row whose attention sees one document at a time."""
    fp8: bool = False
    """Products in 8-bit floats."""
    attention_of_2023: bool = False
    """The Triton kernels that came before FlashAttention 2."""
    gptq_of_2023: bool = False
    """GPTQ's kernels of that year instead of bitsandbytes' unpacking."""
    whole_base: bool = False
    """A quantized base that every GPU keeps whole, whatever the sharding."""
    gpus_per_node: int = 8


PLAIN = Execution()


class Pass(NamedTuple):
    """One pass through one block."""

    weights: float
    """Elements of the weights that every token is multiplied with: 2 T weights FLOPs."""
    sides: float
    """Numbers that products read and write per token."""
    attention: float
    """Width of attention: 2 T S attention FLOPs; twice the width without a causal mask."""
    adapters: float
    """Elements of the adapters: 2 T adapters FLOPs."""
    token_bytes: float
    """Elementwise traffic per token, adapters left out."""
    adapter_bytes: float
    """The same of adapters."""
    score_bytes: float
    """Elementwise traffic per token and token of the row: scores kept by eager attention."""
    fixed_bytes: float
    """Elementwise traffic whatever the batch: casts of weights, lengths of DoRA's."""
    unpacked_bytes: float
    """Read and written while 4-bit weights become 16-bit ones."""
    kernels: float
    """Launched by the host."""


class Work(NamedTuple):
    """One optimizer step of one GPU, sharding left out."""

    forward: Pass
    backward: Pass
    layers: int
    backward_layers: int
    """Blocks that gradients pass through."""
    recomputed_layers: int
    """Blocks whose forward runs twice, because of checkpoints."""
    weight_gradients: float
    """Elements of a block's weights that are trained: 2 T more FLOPs each."""
    trained_layers: int
    head_weights: float
    head_passes: int
    """Products with the head: forward, gradient of the input and, if trained, of the weight."""
    head_sides: float
    logit_bytes: float
    """Traffic of logits and loss per token."""
    trained_parameters: int
    optimizer_bytes: float
    """Traffic of one optimizer step."""
    accumulation_bytes: float
    """Traffic of adding a micro-batch's gradients to the earlier ones."""
    tensors: int
    """Trained tensors."""
    product_bytes: int
    """Bytes of a number in products."""
    single_precision: bool
    """Whether products run in fp32, without tensor cores."""
    precise_adapters: bool
    """Whether adapters alone run in fp32."""
    mixture: bool
    """Whether tokens are sent to experts."""
    parameters: int
    modules: int
    """Linears of a block, each of which ZeRO-3 fetches by itself."""


_MASKED_SHARE = 0.57
"""Speed of torch's memory-efficient kernel, which takes a mask, over FlashAttention 2: 105 and 185
TFLOPS forward and backward on an A100 (arXiv 2307.08691, figure 4)."""

_LOGIT_BYTES = {"torch": 56.0, "chunked": 24.0, "liger": 16.0, "triton": 16.0}
"""Forward and backward of the loss: torch casts logits to fp32 and keeps them."""

_OPTIMIZER_BYTES = {
    "adamw": 30.0,
    "adamw-fused": 16.0,
    "adamw-8bit": 10.0,
    "paged-adamw": 30.0,
    "paged-adamw-8bit": 10.0,
    "adafactor": 40.0,
    "sgd": 6.0,
}
"""Traffic per trained 16-bit parameter of a step."""


def work_of(shape: ModelShape, request: TrainingRequest, execution: Execution = PLAIN) -> Work:
    """What one step of this request computes and moves."""
    linears = _linears(shape, request)
    traffic = block_traffic(shape, request, linears, compiled=execution.compiled)
    dtypes = traffic.dtypes
    full = request.method == "full"
    trained_layers = shape.layers
    if request.trainable_layers is not None:
        trained_layers = min(request.trainable_layers, shape.layers)
    recomputes = request.checkpointing != "none"
    through = shape.layers if recomputes or request.trainable_layers is None else trained_layers
    trained = _trained(shape, request, trained_layers)
    unsloth = request.stack == "unsloth"
    # A head over classes reads one token of a row: nothing beside the blocks.
    classes = shape.vocabulary_size if request.task == "causal-lm" else 0
    return Work(
        forward=_pass(shape, request, linears, traffic, backward=False),
        backward=_pass(shape, request, linears, traffic, backward=True),
        layers=shape.layers,
        backward_layers=through,
        recomputed_layers=through if recomputes else 0,
        weight_gradients=linears.weights if full else 0.0,
        trained_layers=trained_layers if full else 0,
        head_weights=float(classes * shape.hidden_size),
        head_passes=3 if full else 2,
        head_sides=float(classes + shape.hidden_size),
        logit_bytes=_LOGIT_BYTES["triton" if unsloth else request.loss] * classes,
        trained_parameters=trained,
        optimizer_bytes=_optimizer_bytes(request, trained, compiled=execution.compiled),
        accumulation_bytes=6.0 * trained,
        tensors=_tensors(shape, request, linears, trained_layers),
        product_bytes=4 if dtypes.single_precision else 2,
        single_precision=dtypes.single_precision,
        precise_adapters=_precise_adapters(request),
        mixture=bool(shape.expert_parameters),
        parameters=shape.parameters,
        modules=linears.modules,
    )


def _linears(shape: ModelShape, request: TrainingRequest) -> Linears:
    """The products of a block with one token; of a mixture only the experts it is sent to."""
    sides: list[tuple[str, int, int]] = list(shape.matrices)
    names = adapted_linears(shape, request.adapter.targets) if request.adapter else frozenset[str]()
    weights = float(sum(inputs * outputs for _, inputs, outputs in sides))
    plain = weights
    experts = shape.family.experts
    if experts is not None:
        for line in experts.linears:
            inputs, outputs = extent(line.inputs, shape.sizes), extent(line.outputs, shape.sizes)
            weights += shape.experts_per_token * inputs * outputs
            sides += [(line.name, inputs, outputs)] * shape.experts_per_token
    return Linears(
        sides=tuple(sides),
        adapted=tuple(side for side in sides if side[0] in names),
        weights=weights,
        packed_weights=plain if request.weights in QUANTIZED_WEIGHTS else 0.0,
        modules=len(shape.linears) + (2 if experts else 0),
    )


def _pass(
    shape: ModelShape,
    request: TrainingRequest,
    linears: Linears,
    traffic: Traffic,
    *,
    backward: bool,
) -> Pass:
    adapter = request.adapter
    rank = adapter.rank if adapter else 0
    unpacked = {"int8": 3.0}.get(request.weights, 2.57)
    weights, packed_weights = linears.weights, linears.packed_weights
    if adapter is not None and adapter.kind == "dora":
        # PEFT takes the norms of unpacked weights, and multiplies once more what dropout left.
        whole = float(sum(inputs * outputs for _, inputs, outputs in linears.adapted))
        packed_weights += whole if packed_weights and not backward else 0.0
        weights += whole if adapter.dropout else 0.0
    return Pass(
        weights=weights,
        sides=float(sum(inputs + outputs for _, inputs, outputs in linears.sides)),
        attention=shape.sizes.get("q", shape.hidden_size)
        * (2.5 if backward else 1.0)
        * (1.0 if shape.family.kind == "decoder" and not request.masked else 2.0)
        / (_MASKED_SHARE if request.masked else 1.0),
        adapters=rank * sum(a + b for _, a, b in linears.adapted) * (2.0 if backward else 1.0),
        token_bytes=traffic.backward_token_bytes if backward else traffic.token_bytes,
        adapter_bytes=traffic.backward_adapter_bytes if backward else traffic.adapter_bytes,
        score_bytes=traffic.backward_score_bytes if backward else traffic.score_bytes,
        fixed_bytes=0.0 if backward else traffic.weight_bytes,
        unpacked_bytes=packed_weights * unpacked,
        kernels=traffic.backward_kernels if backward else traffic.kernels,
    )


def _precise_adapters(request: TrainingRequest) -> bool:
    """PEFT before 0.12 made adapters in the dtype of the weights, so a date has to be known."""
    adapter = request.adapter
    dated = request.runs_today or request.transformers_version is not None
    return dated and adapter is not None and adapter.dtype == "fp32" and request.autocast is None


def _trained(shape: ModelShape, request: TrainingRequest, trained_layers: int) -> int:
    if request.method != "full":
        return adapter_parameters(shape, request)
    if request.trainable_layers is None:
        return shape.parameters
    return trained_layers * shape.block_parameters + shape.vocabulary_size * shape.hidden_size


def _optimizer_bytes(request: TrainingRequest, trained: int, *, compiled: bool) -> float:
    per_parameter = _OPTIMIZER_BYTES[request.optimizer_name]
    if compiled:
        per_parameter = min(per_parameter, _OPTIMIZER_BYTES["adamw-fused"])
    wide = 2.0 if _trains_fp32(request) else 1.0
    shared = request.gpus if request.sharding in ("fsdp", "zero2", "zero3") else 1
    return per_parameter * wide * trained / shared


def _trains_fp32(request: TrainingRequest) -> bool:
    if request.adapter is not None:
        return request.adapter.dtype == "fp32"
    return request.weights == "fp32"


def _tensors(
    shape: ModelShape, request: TrainingRequest, linears: Linears, trained_layers: int
) -> int:
    if request.method != "full":
        return 2 * shape.layers * len(linears.adapted)
    return trained_layers * shape.tensors // max(shape.layers, 1) + 1
