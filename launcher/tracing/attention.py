"""Which attention kernel CUDA would take, and what it keeps, on tensors of the CPU.

PyTorch's choice (sdp_utils.cpp): flash attention for 16-bit tensors without a mask; the
memory-efficient kernel where a mask or fp32 rules that out and every query head has its own keys;
plain products otherwise.
"""

# torch and transformers leave much untyped.
# mypy: allow-untyped-calls

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional

_aten = torch.ops.aten
_FLASH_WIDEST_HEAD = 256


def scaled_dot_product_attention(  # noqa: PLR0917 - torch's own signature
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """torch.nn.functional.scaled_dot_product_attention as CUDA runs it."""
    if torch.is_autocast_enabled("cpu"):
        dtype = torch.get_autocast_dtype("cpu")
        query, key, value = (
            part.to(dtype) if part.dtype == torch.float32 else part for part in (query, key, value)
        )
    shares_keys = key.shape[1] != query.shape[1]
    flash = (
        attn_mask is None
        and query.dtype != torch.float32
        and query.shape[-1] == value.shape[-1] <= _FLASH_WIDEST_HEAD
        and (enable_gqa or not shares_keys)
    )
    if flash:
        return _flash((query, key, value), dropout_p, scale, is_causal=is_causal)
    if not shares_keys:
        parts = (query, key, value)
        return _efficient(parts, attn_mask, dropout_p, scale, is_causal=is_causal)
    # Products are computed in fp32, whatever autocast says outside.
    with torch.autocast("cpu", enabled=False):
        return _aten._scaled_dot_product_attention_math(  # type: ignore[no-any-return]  # noqa: SLF001
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )[0]


def _flash(
    parts: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    dropout_p: float,
    scale: float | None,
    *,
    is_causal: bool,
) -> torch.Tensor:
    width = parts[0].shape[-1]
    missing = -width % 8
    padded = [functional.pad(part, (0, missing)) for part in parts] if missing else parts
    out: torch.Tensor = _aten._scaled_dot_product_flash_attention(  # noqa: SLF001
        *padded, dropout_p, is_causal, scale=scale or width**-0.5
    )[0]
    return out[..., :width] if missing else out


def _efficient(
    parts: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    mask: torch.Tensor | None,
    dropout_p: float,
    scale: float | None,
    *,
    is_causal: bool,
) -> torch.Tensor:
    query, key, value = parts
    if mask is not None:
        if mask.dtype == torch.bool:
            nothing = torch.zeros((), dtype=query.dtype)
            mask = torch.where(mask, nothing, torch.full((), -math.inf, dtype=query.dtype))
        mask = mask.expand(*query.shape[:3], key.shape[2])
    out: torch.Tensor = _aten._scaled_dot_product_efficient_attention(  # noqa: SLF001
        query, key, value, mask, True, dropout_p, is_causal, scale=scale
    )[0]
    return out


class FlashAttention2(torch.autograd.Function):
    """flash_attn_func of the flash-attn package: (batch, rows, heads, width) tensors."""

    @staticmethod
    def forward(
        ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
    ) -> torch.Tensor:
        """Keep the inputs, the output, one number a head and row, and the random state."""
        batch, rows, heads, _ = query.shape
        out = torch.empty_like(query)
        sums = torch.empty((batch, heads, rows), dtype=torch.float32)
        random_state = torch.empty((2,), dtype=torch.int64)
        ctx.save_for_backward(query, key, value, out, sums, random_state)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        """Take the kernel's workspaces for as long as it runs."""
        query, key, value, *_ = ctx.saved_tensors
        gradients[0].contiguous()
        batch, rows, heads, width = query.shape
        made = [torch.empty_like(part) for part in (query, key, value)]
        rounded_rows = -(-rows // 128) * 128
        step = 32 if width <= 128 else 64
        rounded_width = -(-width // step) * step
        workspace = [
            torch.empty((batch, heads, rounded_rows), dtype=torch.float32),
            torch.empty((batch, rounded_rows, heads, rounded_width), dtype=torch.float32),
        ]
        if key.shape[2] != heads:
            workspace += [
                torch.empty((batch, rows, heads, width), dtype=key.dtype) for _ in range(2)
            ]
        del workspace
        return tuple(made)


def flash_attention_2(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_: Any, **options: Any
) -> torch.Tensor:
    """Transformers' _flash_attention_forward: 16-bit tensors into the kernel."""
    if query.dtype == torch.float32:
        dtype = options.get("target_dtype") or torch.bfloat16
        query, key, value = (part.to(dtype) for part in (query, key, value))
    return FlashAttention2.apply(query, key, value)  # type: ignore[no-any-return]


def flash_attention_2_repeated(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *rest: Any, **options: Any
) -> torch.Tensor:
    """As before Transformers 5: keys and values are repeated for every query head first."""
    groups = query.shape[2] // key.shape[2]
    if groups > 1:
        key, value = (_repeated(part, groups) for part in (key, value))
    return flash_attention_2(query, key, value, *rest, **options)


def _repeated(part: torch.Tensor, groups: int) -> torch.Tensor:
    batch, rows, heads, width = part.shape
    apart = part.transpose(1, 2)[:, :, None].expand(batch, heads, groups, rows, width)
    return apart.reshape(batch, heads * groups, rows, width).transpose(1, 2)
