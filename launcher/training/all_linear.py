"""What "all-linear" stands for: every linear layer but the head, and no stacked experts.

PEFT 0.21 takes it for the experts and the router of some mixtures too, which are no linear layers
in Transformers 5: about a billion trained parameters in a 30B model, and every forward makes the
weights of all experts of a block anew (peft/utils/transformers_weight_conversion.py).
"""

from __future__ import annotations

from typing import Any


def all_linear(model: Any) -> str | list[str]:
    """`target_modules` for PEFT: over stacked experts the last names of the linear layers."""
    import torch

    if not any(
        ".experts." in name and parameter.dim() == 3 for name, parameter in model.named_parameters()
    ):
        return "all-linear"
    heads = (model.get_output_embeddings(), getattr(model, "score", None))
    return sorted(
        {
            name.rpartition(".")[2]
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) and not any(module is head for head in heads)
        }
    )
