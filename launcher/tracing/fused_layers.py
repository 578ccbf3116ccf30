"""Norms, rotary embedding and 4-bit LoRA as single Triton kernels, without the kernels.

The patches that bring a Triton or Liger loss to Transformers bring these with it. Sources:
unsloth's kernels and their copies in foundation-model-stack's fms-acceleration.
"""

# torch and transformers leave much untyped.
# mypy: allow-untyped-calls

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch.nn import functional

from launcher.tracing.replacing import replaced

_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj")


@contextmanager
def fused_layers(base: Any) -> Iterator[None]:
    """Run a model's layers as fused kernels while inside; adapters only over 4-bit weights."""
    for module in base.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = types.MethodType(
                lambda self, hidden: _FusedNorm.apply(hidden, self.weight), module
            )
        if all(_is_quantized_adapter(getattr(module, name, None)) for name in _PROJECTIONS):
            _fuse_adapters(module)
    model_code = sys.modules[type(base).__module__]
    rotates = hasattr(model_code, "apply_rotary_pos_emb")
    with replaced(model_code, apply_rotary_pos_emb=_rotate) if rotates else nullcontext():
        yield


class _FusedNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        out = torch.empty_like(hidden)
        roots = torch.empty(hidden.shape[:-1], dtype=torch.float32)
        ctx.save_for_backward(hidden, weight, roots)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        del ctx
        return gradients[0], None  # written over the gradient; none for the weight


class _FusedRotation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: torch.Tensor) -> torch.Tensor:
        del ctx
        batch, rows, heads, width = part.shape
        return part.view(batch * rows, heads * width).view(batch, rows, heads, width)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        del ctx
        batch, rows, heads, width = gradients[0].shape
        flat = gradients[0].reshape(batch * rows, heads * width)
        return flat.view(batch, rows, heads, width)


def _rotate(queries: torch.Tensor, keys: torch.Tensor, *_: Any, **__: Any) -> tuple[Any, ...]:
    return tuple(
        _FusedRotation.apply(part.transpose(1, 2)).transpose(1, 2) for part in (queries, keys)
    )


def _is_quantized_adapter(layer: Any) -> bool:
    return hasattr(layer, "lora_A") and hasattr(layer.base_layer, "double_quantized")


def _fuse_adapters(attention: Any) -> None:
    """Queries, keys and values in one operation, the output projection in another."""
    made: dict[str, torch.Tensor] = {}

    def queries(hidden: torch.Tensor) -> Any:
        entering = [getattr(attention, name) for name in _PROJECTIONS[:3]]
        first, made["keys"], made["values"] = _fused_adapters(hidden, entering)
        return first

    def taken(name: str) -> Callable[[torch.Tensor], torch.Tensor]:
        return lambda _: made.pop(name)

    attention.q_proj.forward = queries
    attention.k_proj.forward = taken("keys")
    attention.v_proj.forward = taken("values")
    attention.o_proj.forward = lambda hidden: _fused_adapters(hidden, [attention.o_proj])[0]


def _fused_adapters(hidden: torch.Tensor, layers: list[Any]) -> tuple[torch.Tensor, ...]:
    matrices = [
        matrix.weight
        for layer in layers
        for matrix in (layer.lora_A["default"], layer.lora_B["default"])
    ]
    return _FusedAdapters.apply(hidden, layers, *matrices)  # type: ignore[no-any-return]


class _FusedAdapters(torch.autograd.Function):
    """4-bit linears of one input with their adapters, each with a dropped-out copy of its own."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, layers: list[Any], *matrices: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        flat = hidden.view(-1, hidden.shape[-1])
        outputs, copies = [], []
        for layer, down, up in zip(layers, matrices[::2], matrices[1::2], strict=True):
            weight = layer.base_layer.unpacked(scale_copies=1).to(hidden.dtype)
            out = torch.matmul(flat, weight.t())
            del weight
            share = getattr(layer.lora_dropout["default"], "p", 0.0)
            copies.append(functional.dropout(flat, share, training=True) if share else flat)
            low = copies[-1] @ down.t().to(hidden.dtype)
            out += low @ (1.0 * up.t().to(hidden.dtype))
            outputs.append(out.view(*hidden.shape[:-1], -1))
        ctx.layers = layers
        ctx.save_for_backward(hidden, *matrices, *copies)
        return tuple(outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        count = len(ctx.layers)
        hidden, *rest = ctx.saved_tensors
        matrices, copies = rest[: 2 * count], rest[2 * count :]
        flat = [gradient.reshape(-1, gradient.shape[-1]) for gradient in gradients]
        dtype = hidden.dtype
        of_matrices: list[torch.Tensor] = []
        for gradient, down, up, copy in zip(
            flat, matrices[::2], matrices[1::2], copies, strict=True
        ):
            low = gradient @ up.to(dtype)
            of_matrices.append((copy.t() @ low).t().to(torch.float32))
            of_matrices.append(((down.to(dtype) @ copy.t()) @ gradient).t().to(torch.float32))
        of_hidden = _hidden_gradient(ctx.layers, flat, matrices, (hidden, *copies))
        return of_hidden, None, *of_matrices


def _hidden_gradient(
    layers: list[Any],
    gradients: list[torch.Tensor],
    matrices: list[torch.Tensor],
    kept: tuple[torch.Tensor, ...],
) -> torch.Tensor:
    """Summed over the linears; for several of them it is written over their input."""
    hidden, *copies = kept
    dtype = hidden.dtype
    total: torch.Tensor | None = None
    for layer, gradient, down, up, copy in zip(
        layers, gradients, matrices[::2], matrices[1::2], copies, strict=True
    ):
        weight = layer.base_layer.unpacked(scale_copies=1).to(dtype)
        if total is not None:
            total += gradient @ weight
        elif len(layers) == 1:
            total = torch.matmul(gradient, weight)
        else:
            over = hidden.detach().view(-1, hidden.shape[-1])
            total = torch.matmul(gradient, weight, out=over)
        del weight
        total += (copy != 0) * (gradient @ up.to(dtype) @ down.to(dtype))
    assert total is not None
    return total.view(hidden.shape)
