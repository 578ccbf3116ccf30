"""Checkpoints whose kept inputs wait in host memory, as Unsloth and torchtune offload them."""

# torch leaves much untyped.
# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn


def offload_checkpoints(model: nn.Module) -> None:
    """Make every block that checkpoints keep nothing on the device."""
    for module in model.modules():
        if getattr(module, "gradient_checkpointing", False):
            module._gradient_checkpointing_func = _run_offloaded  # type: ignore[assignment]  # noqa: SLF001


def _run_offloaded(block: Callable[..., Any], *arguments: Any) -> Any:
    return _Offloaded.apply(block, *arguments)


class _Offloaded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, block: Callable[..., Any], hidden: torch.Tensor, *rest: Any) -> Any:
        ctx.block, ctx.rest = block, rest
        ctx.shape, ctx.dtype = hidden.shape, hidden.dtype
        ctx.autocast = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")
        return block(hidden, *rest)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        hidden = torch.empty(ctx.shape, dtype=ctx.dtype).requires_grad_()  # copied back
        enabled, dtype = ctx.autocast
        autocast: AbstractContextManager[Any] = (
            torch.autocast("cpu", dtype=dtype) if enabled else nullcontext()
        )
        with torch.enable_grad(), autocast:
            out = ctx.block(hidden, *ctx.rest)
        out = out[0] if isinstance(out, tuple) else out
        torch.autograd.backward(out, gradients[0])
        return None, hidden.grad, *(None for _ in ctx.rest)
