"""Bytes that do not depend on the batch: weights, adapters, gradients, optimizer state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from planner.block_counts import Matrix, largest_expert_parameters
from planner.memory.adapted import (
    EXPERTS,
    adapted_linears,
    adapter_parameters,
    expert_adapters,
)
from planner.memory.embeddings import seldom_read_bytes
from planner.memory.numerics import Numerics
from planner.memory.optimizer_state import OptimizerState, Tensors, bitsandbytes_state
from planner.request import TrainingRequest
from planner.shape import ModelShape

BLOCK = 512
"""The CUDA caching allocator rounds every tensor up to this many bytes."""

_NF4_GROUP = 64
"""Weights that share one scale in bitsandbytes' 4-bit formats."""
_NF4_SCALE_GROUP = 256
"""Scales that share one second-level scale with double quantization."""
_EIGHT_BIT_GROUP = 256
"""Elements that share one fp32 scale in torchao's 8-bit optimizers."""


def rounded(count_bytes: float) -> int:
    """Up to whole allocator blocks."""
    return -(-int(count_bytes) // BLOCK) * BLOCK


def nf4_bytes(elements: int, *, double_quantized: bool) -> int:
    """A 4-bit matrix with its scales, as bitsandbytes stores it (QuantState)."""
    packed = rounded((elements + 1) // 2)
    scales = -(-elements // _NF4_GROUP)
    code_table = BLOCK
    if not double_quantized:
        return packed + rounded(4 * scales) + code_table
    second = rounded(4 * -(-scales // _NF4_SCALE_GROUP))
    # One byte a scale, the second-level scales, their 256-entry table, the offset.
    return packed + rounded(scales) + second + 2 * BLOCK + BLOCK + code_table


def int8_bytes(elements: int, rows: int) -> int:
    """An 8-bit matrix with one fp32 scale a row (LLM.int8)."""
    return rounded(elements) + rounded(4 * rows)


class States(NamedTuple):
    """What stays in memory between micro-batches."""

    weights_bytes: int
    adapters_bytes: int
    gradients_bytes: int
    """All gradients together, as they stand at the end of a backward pass."""
    optimizer_bytes: int
    """On the card."""
    paged_bytes: int
    """Optimizer state that is on the card while there is room."""
    step_scratch_bytes: int
    """What the optimizer's step needs on top, once."""
    trained_parameters: int
    block_gradients_bytes: int
    head_gradients_bytes: int
    """Gradients that exist before the last block is differentiated: the head, tied or not."""
    embedding_gradients_bytes: int
    largest_gradient_bytes: int
    """Of one linear of a block."""
    seldom_read_bytes: int = 0
    """Weights that stay in a mapped file and are read in part."""


def states_of(shape: ModelShape, request: TrainingRequest, numerics: Numerics) -> States:
    """Weights, adapters, gradients and optimizer state of a request."""
    adapter = adapter_parameters(shape, request)
    weights = _weights_bytes(shape, request, numerics)
    adapters = adapter * (numerics.adapters or 0)
    if request.method != "full":
        trained, width, tensors = adapter, numerics.adapters or 4, _adapter_tensors(shape, request)
        block, head, embedding = adapters // max(shape.layers, 1), 0, 0
    else:
        trained, tensors = _trained_of_full(shape, request)
        width = numerics.weights
        block = shape.block_parameters * width
        table = shape.vocabulary_size * shape.hidden_size * width
        head = table if shape.tied else shape.head_parameters * width
        if request.steps_in_backward and not shape.tied:
            head = 0  # a tied table is stepped with once both its gradients are there
        whole = request.trainable_layers is None
        embedding = shape.embedding_parameters * width if whole else table if shape.tied else 0
    gradients = 0 if request.steps_in_backward else trained * width
    optimizer = _optimizer_of(shape, request, trained, width, tensors)
    return States(
        weights_bytes=weights,
        adapters_bytes=adapters,
        gradients_bytes=gradients,
        optimizer_bytes=optimizer.on_card_bytes,
        paged_bytes=optimizer.paged_bytes,
        step_scratch_bytes=_step_scratch(shape, request, trained, width),
        trained_parameters=trained,
        block_gradients_bytes=0 if request.steps_in_backward else block,
        head_gradients_bytes=head,
        embedding_gradients_bytes=embedding,
        largest_gradient_bytes=shape.largest_linear_parameters * width
        if request.method == "full"
        else 0,
        seldom_read_bytes=seldom_read_bytes(shape, request, numerics),
    )


def _optimizer_of(
    shape: ModelShape, request: TrainingRequest, trained: int, width: int, tensors: int
) -> OptimizerState:
    name = request.optimizer_name
    if name == "adafactor":
        return OptimizerState(_adafactor_bytes(shape, request))
    if name in ("adamw", "adamw-fused", "sgd") or request.stack == "torchtune":
        return OptimizerState(optimizer_bytes(name, trained, width, tensors))
    return bitsandbytes_state(
        _trained_tensors(shape, request, trained),
        eight_bit=name.endswith("8bit"),
        paged=name.startswith("paged-") and request.device == "cuda",
    )


def _trained_tensors(shape: ModelShape, request: TrainingRequest, trained: int) -> list[Tensors]:
    """What is trained by the size of its tensors; what is left over counts as vectors."""
    layers = _trained_layers(shape, request)
    if request.adapter is not None:
        rank, names = request.adapter.rank, adapted_linears(shape, request.adapter.targets)
        sides = [side for name, *both in shape.matrices if name in names for side in both]
        known = [Tensors(rank * side, shape.stored_layers) for side in sides]
        for ranks, *both in expert_adapters(shape, request.adapter.targets):
            known += [Tensors(ranks * rank * side, shape.stored_layers) for side in both]
    else:
        matrices = [inputs * outputs for _, inputs, outputs in shape.matrices]
        known = [Tensors(elements, layers) for elements in (*matrices, shape.expert_parameters)]
        table = shape.vocabulary_size * shape.hidden_size
        whole = request.trainable_layers is None
        tables = shape.vocabulary_size > 0  # pictures have none that is an nn.Embedding
        wide = tables and request.stack == "transformers" and not request.steps_in_backward
        if whole or shape.tied:
            embedding = shape.embedding_parameters if whole else table
            known.append(Tensors(embedding, 1, wide=wide))
        if not shape.tied:
            known.append(Tensors(shape.head_parameters, 1))
    if shape.trained_with_adapters and request.adapter is not None:
        known.append(Tensors(shape.trained_with_adapters, 1))
    rest = trained - sum(each.elements * each.number for each in known)
    vectors = max(0, rest) // max(shape.hidden_size, 1)
    return [*known, Tensors(shape.hidden_size, vectors)]


def _step_scratch(shape: ModelShape, request: TrainingRequest, trained: int, width: int) -> int:
    """What the optimizer's step holds on top.

    torch's foreach AdamW takes the square root of every second moment at once; Transformers'
    Adafactor makes two fp32 tensors of the parameter it is at, and copies it and its gradient to
    fp32 where they have 16 bit.
    """
    if request.optimizer_name == "adafactor":
        return 4 * largest_trained(shape, request) * (2 if width == 4 else 4)
    if request.stack == "torchtune" and request.optimizer_name == "adamw-8bit":
        # torchao unpacks both moments and the parameter of the tensor it is at to fp32.
        largest = shape.largest_linear_parameters
        if request.method == "full" and request.trainable_layers is None:
            largest = max(largest, shape.vocabulary_size * shape.hidden_size)
        gradient = width if request.steps_in_backward else 0
        return largest * (3 * 4 + gradient) if request.method == "full" else 0
    every = request.optimizer_name == "adamw" and not request.steps_in_backward
    return trained * width if every else 0


def roots_in_backward(request: TrainingRequest) -> bool:
    """Whether a step within backward takes the square root of a tensor's second moment aside."""
    stepped = request.steps_in_backward and request.stack == "transformers"
    return stepped and request.optimizer_name == "adamw" and request.method == "full"


def largest_trained(shape: ModelShape, request: TrainingRequest) -> int:
    """Elements of the largest tensor that is trained."""
    if request.adapter is not None:
        over_experts = (
            ranks * max(both) for ranks, *both in expert_adapters(shape, request.adapter.targets)
        )
        widest = max(shape.hidden_size, shape.sizes.get("i", 0), *over_experts)
        return request.adapter.rank * widest
    table = shape.vocabulary_size * shape.hidden_size
    experts = largest_expert_parameters(shape.family, shape.sizes)
    in_block = max(shape.largest_linear_parameters, experts)
    if request.trainable_layers is None:
        return max(in_block, table)
    head = shape.head_parameters if request.task != "causal-lm" else table
    return max(in_block if request.trainable_layers else 0, head)


def optimizer_bytes(optimizer: str, trained: int, width: int, tensors: int) -> int:
    """State of a torch optimizer for `trained` parameters of `width` bytes in `tensors` tensors.

    Two moments in the parameter's dtype and, for the fused kernel, one counter a tensor; torchao's
    8-bit AdamW keeps one byte a moment and a scale per 256.
    """
    if optimizer == "sgd":
        return 0
    if optimizer.endswith("adamw-8bit"):
        return 2 * trained + 2 * 4 * (trained // _EIGHT_BIT_GROUP)
    counters = BLOCK * tensors if optimizer == "adamw-fused" else 0
    return 2 * width * trained + counters


def _adafactor_bytes(shape: ModelShape, request: TrainingRequest) -> int:
    """One fp32 number a row and one a column of every trained matrix."""
    rank = request.adapter.rank if request.adapter else None
    names = adapted_linears(shape, request.adapter.targets) if request.adapter else None
    sides = 0
    for name, inputs, outputs in shape.matrices:
        if rank is None:
            sides += inputs + outputs
        elif names is not None and name in names:
            sides += inputs + outputs + 2 * rank
    if request.adapter is not None:
        for ranks, inputs, outputs in expert_adapters(shape, request.adapter.targets):
            sides += inputs + outputs + 2 * ranks * request.adapter.rank
    tables = 0 if rank is not None else shape.vocabulary_size + shape.hidden_size
    vectors = 0 if rank is not None else shape.other_block_parameters
    return 4 * (_trained_layers(shape, request) * (sides + vectors) + tables)


def _trained_layers(shape: ModelShape, request: TrainingRequest) -> int:
    if request.trainable_layers is None:
        return shape.stored_layers
    return min(request.trainable_layers, shape.stored_layers)


def _adapter_tensors(shape: ModelShape, request: TrainingRequest) -> int:
    assert request.adapter is not None
    targets = request.adapter.targets
    adapted = len(adapted_linears(shape, targets) - {EXPERTS})
    return 2 * shape.stored_layers * (adapted + len(expert_adapters(shape, targets)))


def _trained_of_full(shape: ModelShape, request: TrainingRequest) -> tuple[int, int]:
    """Parameters and tensors trained by method full."""
    if request.trainable_layers is None:
        return shape.parameters, shape.tensors
    layers = _trained_layers(shape, request)
    head = shape.head_parameters or shape.vocabulary_size * shape.hidden_size
    tensors = layers * shape.tensors // max(shape.layers, 1) + 1
    return layers * shape.block_parameters + head, tensors


def _weights_bytes(shape: ModelShape, request: TrainingRequest, numerics: Numerics) -> int:
    layers = shape.stored_layers
    experts = layers * shape.expert_parameters * numerics.vectors
    vectors = layers * shape.other_block_parameters * numerics.norm_weights
    outside = shape.parameters - layers * shape.block_parameters
    tables = outside * numerics.head_weights
    # Embeddings whose name is not among those that are cast back after k-bit preparation.
    tables += shape.embedding_parameters * (numerics.embeddings - numerics.head_weights)
    tables += _idle_bytes(shape, request, numerics)
    if not numerics.quantized:
        blocks = layers * (shape.block_parameters - shape.other_block_parameters)
        return blocks * numerics.weights + vectors + tables
    if request.stack == "litgpt":
        # Fabric packs every linear, the head among them.
        head = shape.head_parameters
        tables -= head * numerics.head_weights
        tables += nf4_bytes(head, double_quantized=request.weights == "nf4-dq")
    unpacked = sum(each.parameters for each in shape.head_matrices) * numerics.head_weights
    head = _packed(shape.head_matrices, request) - unpacked
    return layers * _packed(shape.matrices, request) + experts + vectors + tables + head


def _idle_bytes(shape: ModelShape, request: TrainingRequest, numerics: Numerics) -> int:
    """A vision tower that is loaded and not used; a quantizer packs its linears, nearly all."""
    idle = shape.idle_parameters
    if not numerics.quantized or not idle:
        return idle * numerics.weights
    return (
        int8_bytes(idle, 0)
        if request.weights == "int8"
        else nf4_bytes(idle, double_quantized=request.weights == "nf4-dq")
    )


def _packed(matrices: Iterable[Matrix], request: TrainingRequest) -> int:
    total = 0
    for _, inputs, outputs in matrices:
        if request.weights == "int8":
            total += int8_bytes(inputs * outputs, outputs)
        else:
            total += nf4_bytes(inputs * outputs, double_quantized=request.weights == "nf4-dq")
    return total
