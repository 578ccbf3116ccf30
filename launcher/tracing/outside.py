"""What loading and saving a traced model take beside its weights.

The rules are those of `planner.memory.outside`, with the sizes of the model's real parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from planner.memory.outside import loading_bytes, saving_bytes
from planner.request import TrainingRequest

if TYPE_CHECKING:
    import torch


def bytes_while_loading(model: torch.nn.Module, request: TrainingRequest) -> int:
    """What is in flight when the largest weight comes in."""
    return loading_bytes(
        request,
        largest_packed=max((_packed_elements(each) for each in model.parameters()), default=0),
        largest=max(each.numel() for each in model.parameters()),
    )


def bytes_while_saving(model: torch.nn.Module) -> int:
    """What is taken while the largest trained tensor is looked through."""
    trained = [each for each in model.parameters() if each.requires_grad]
    return max((saving_bytes(each.numel(), each.element_size()) for each in trained), default=0)


def _packed_elements(parameter: torch.nn.Parameter) -> int:
    """Weights of a quantized linear: two in a byte with 4 bits; 0 for what is not packed."""
    import torch

    packed = {torch.uint8: 2, torch.int8: 1}
    return parameter.numel() * packed.get(parameter.dtype, 0)
