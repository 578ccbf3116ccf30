"""What an estimate was held against: measured runs, traced steps, or neither."""

from __future__ import annotations

from typing import Literal

from planner.memory.stacks.own_model import has_own_model
from planner.request import TrainingRequest
from planner.shape import ModelShape

_MEASURED_FAMILIES = frozenset(("llama", "mistral", "qwen2", "qwen3", "granite"))
"""Families whose block is that of the measured runs."""


def is_measured(model_type: object) -> bool:
    """Whether third-party runs on cards are known of models with this block."""
    return model_type in _MEASURED_FAMILIES


_TRACED_FAMILIES = frozenset(
    (
        *("gemma2", "gemma3_text", "phi3", "olmo2", "gpt2", "gpt_neox", "phi", "falcon"),
        *("stablelm", "mixtral", "qwen3_moe", "gpt_oss", "granitemoe", "olmoe", "olmo", "olmo3"),
        *("gemma", "cohere", "cohere2", "glm4", "starcoder2", "smollm3"),
    )
)
"""Families that the formula follows within 2 % of a traced step, 0.3 % on average, as it does the
measured ones (bench/formula_against_trace.py); no run of a card is known of them."""

Checked = Literal[
    "close",
    "traced",
    "own stack",
    "known",
    "sharded",
    "sharded adapters",
    "stand-in",
    "unlike",
]


def checked(shape: ModelShape, request: TrainingRequest) -> Checked:
    """What the estimate of this model and these settings was held against."""
    if not shape.recognized or not shape.described:
        return "stand-in" if shape.alike else "unlike"
    if request.gpus > 1 or request.sharding != "none":
        return "sharded" if request.method == "full" else "sharded adapters"
    dora = request.adapter is not None and request.adapter.kind == "dora"
    int8 = request.weights == "int8"
    if has_own_model(shape, request):
        return "known" if dora or int8 else "own stack"
    measured = shape.family.model_type in _MEASURED_FAMILIES
    # In these, small models were up to 8 % away from the traced step.
    unlike = (dora and not (measured and request.autocast)) or _mixes_16_bit(request)
    if int8 or unlike or request.stack != "transformers" or _is_unsettled(shape, request):
        return "known"
    if measured:
        return "traced" if dora or request.attention == "eager" else "close"
    return "traced" if shape.family.model_type in _TRACED_FAMILIES else "known"


def _is_unsettled(shape: ModelShape, request: TrainingRequest) -> bool:
    """Whether the formula lacks tensors in these settings, or the trace does.

    Falcon's blocks return their scores: traced checkpoints hold fp32 zeros as large, perhaps
    gradients of these. Experts over 4 bits on a CPU were 6 % above what the formula says.
    """
    on_cpu = request.device == "cpu"
    if request.checkpointing != "offloaded":
        return on_cpu and request.kbit_prepare and bool(shape.family.experts)
    scores = shape.family.model_type == "falcon" and (on_cpu or request.attention == "eager")
    return scores or (bool(shape.family.experts) and request.autocast is None)


def _mixes_16_bit(request: TrainingRequest) -> bool:
    """Whether weights and products are bf16 and fp16, or the other way round."""
    return {request.weights, request.autocast} == {"bf16", "fp16"}
