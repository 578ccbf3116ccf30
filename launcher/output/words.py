"""Settings of a step in words."""

from __future__ import annotations

from planner.request import QUANTIZED_WEIGHTS, TrainingRequest

CHECKPOINTING = {
    "full": "checkpointed activations",
    "none": "all activations kept",
    "offloaded": "offloaded activations",
}

_OPTIMIZERS = {
    "adamw": "AdamW",
    "adamw-fused": "AdamW",
    "adamw-8bit": "AdamW 8 bit",
    "paged-adamw": "paged AdamW",
    "paged-adamw-8bit": "paged AdamW 8 bit",
    "adafactor": "Adafactor",
    "sgd": "SGD",
}


def optimizer_text(request: TrainingRequest) -> str:
    """The optimizer as papers write it."""
    return _OPTIMIZERS.get(request.optimizer_name, request.optimizer_name)


def compute_dtype(request: TrainingRequest) -> str:
    """The dtype products run in."""
    if request.autocast is not None:
        return request.autocast
    return "fp32" if request.weights in QUANTIZED_WEIGHTS else request.weights


def method_text(request: TrainingRequest) -> str:
    """What is trained: "lora, rank 16, all linear layers"."""
    adapter = request.adapter
    if adapter is None:
        return f"{request.method}, {_trained_text(request.trainable_layers)}"
    everywhere = adapter.targets == ("all-linear",)
    targets = "all linear layers" if everywhere else ", ".join(adapter.targets)
    return f"{request.method}, rank {adapter.rank}, {targets}"


def _trained_text(layers: int | None) -> str:
    if layers is None:
        return "all layers"
    if layers == 0:
        return "the head alone"
    return f"the last {layers} layers and the head" if layers > 1 else "the last layer and the head"
