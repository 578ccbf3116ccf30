"""The oldest transfer learning: lower layers stay as they are, the last N and the head learn."""

from __future__ import annotations

from typing import Any

from torch import nn

from launcher.errors import UsageError
from launcher.training.text_part import text_part
from planner.request import Task


def train_last(model: Any, trained: int, task: Task) -> None:
    """Freeze all but the last `trained` blocks and what stands behind them.

    A language model trains its head alone besides, as the estimate counts; a classifier
    everything after its blocks: last norm, pooler and head. Raises UsageError for a model
    without a list of blocks.
    """
    blocks = blocks_of(model)
    model.requires_grad_(requires_grad=False)
    if task == "causal-lm":
        model.get_output_embeddings().requires_grad_(requires_grad=True)
    else:
        for name, parameter in model.named_parameters():
            if not _stands_before_the_end(name, model, blocks):
                parameter.requires_grad_(requires_grad=True)
    for block in list(blocks)[max(0, len(blocks) - trained) :]:
        block.requires_grad_(requires_grad=True)


def blocks_of(model: Any) -> nn.ModuleList:
    """The list of the model's blocks."""
    layers = getattr(model.config.get_text_config(), "num_hidden_layers", None)
    for module in text_part(model).modules():
        if isinstance(module, nn.ModuleList) and len(module) == layers:
            return module
    raise UsageError(
        f"{type(model).__name__} has no list of equal blocks to train the last of",
        "set trainable_layers: null in section training, or take method lora",
    )


def head_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Parameters of a classifier that the pretrained model did not have."""
    base = getattr(model, "get_base_model", lambda: model)()
    prefix = f"{base.base_model_prefix}."
    own = {id(each) for name, each in base.named_parameters() if not name.startswith(prefix)}
    adapters = {id(each) for name, each in base.named_parameters() if "lora_" in name}
    return [
        parameter
        for parameter in base.parameters()
        if parameter.requires_grad and id(parameter) in own - adapters
    ]


def _stands_before_the_end(name: str, model: Any, blocks: nn.ModuleList) -> bool:
    within = next(path for path, module in model.named_modules() if module is blocks)
    return name.startswith(f"{within}.") or any(part in name for part in _BEFORE)


_BEFORE = ("embed", ".encoder.LayerNorm.")
"""Tables, and the norm of DeBERTa's distances: all its blocks are called with what it makes."""
