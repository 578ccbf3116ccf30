"""Cross entropies as one Triton kernel: what they keep, without the kernels.

Sources: unsloth's and foundation-model-stack's fused cross entropy, which keeps the logits it was
given and writes their gradient over them; Liger's fused linear cross entropy, which computes a
chunk of logits at a time and the gradients of its inputs already in forward.
"""

# torch and transformers leave much untyped.
# mypy: allow-untyped-calls

from __future__ import annotations

import types
from typing import Any

import torch


class FusedCrossEntropy(torch.autograd.Function):
    """Logits of (tokens, vocabulary) to a loss a token."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor) -> torch.Tensor:
        """Keep the logits and one number a token."""
        losses = torch.empty(logits.shape[0], dtype=torch.float32)
        sums = torch.empty(logits.shape[0], dtype=torch.float32)
        ctx.save_for_backward(logits, sums)
        return losses

    @staticmethod
    def backward(ctx: Any, *_: torch.Tensor) -> Any:
        """Write over the logits."""
        return ctx.saved_tensors[0]


def fused_cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The mean loss of logits of (tokens, vocabulary)."""
    losses: torch.Tensor = FusedCrossEntropy.apply(logits)
    return losses.sum() / (labels != -100).sum()


class FusedLinearCrossEntropy(torch.autograd.Function):
    """Hidden states and head to a loss, logits never whole."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Compute two chunks, after which memory repeats; keep the gradients."""
        tokens, width = hidden.shape
        chunk = min(tokens, _power_of_two(-(-tokens // -(-weight.shape[0] // width))))
        hidden_gradient = torch.zeros_like(hidden)
        weight_gradient = torch.zeros_like(weight) if weight.requires_grad else None
        losses = torch.zeros(tokens, dtype=torch.float32)
        autocast = torch.is_autocast_enabled("cpu")
        dtype = torch.get_autocast_dtype("cpu") if autocast else hidden.dtype
        for _ in range(2 if tokens > chunk else 1):
            entering = hidden[:chunk]
            logits = entering @ weight.t()
            logits = logits.float()
            logits = logits.to(dtype)
            gradient = logits * 1.0
            hidden_gradient[:chunk] = gradient @ weight
            if weight_gradient is not None:
                torch.addmm(weight_gradient, logits.t(), entering, out=weight_gradient)
        del logits, gradient
        loss = losses.sum()
        kept = None if weight_gradient is None else weight_gradient.detach()
        ctx.save_for_backward(hidden_gradient.detach(), kept)
        return loss

    @staticmethod
    def backward(ctx: Any, *_: torch.Tensor) -> Any:
        """Hand on what forward computed."""
        return ctx.saved_tensors


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()


def use_liger_loss(base: Any) -> None:
    """Put Liger's forward in the place of a causal model's own."""

    def forward(
        self: Any, input_ids: torch.Tensor, labels: torch.Tensor, **options: Any
    ) -> dict[str, torch.Tensor]:
        options.pop("num_items_in_batch", None)
        options.pop("use_cache", None)
        states = self.base_model(input_ids=input_ids, **options)[0]
        hidden = states[..., :-1, :].contiguous()
        labels[..., 1:].contiguous()
        weight = self.get_output_embeddings().weight
        loss = FusedLinearCrossEntropy.apply(hidden.view(-1, hidden.shape[-1]), weight)
        return {"loss": loss}

    base.forward = types.MethodType(forward, base)
