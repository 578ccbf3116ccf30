"""What CUDA kernels take while they run: memory that no operation's output shows.

Sources: flash-attention 2 (csrc/flash_attn/flash_api.cpp), ATen's EmbeddingBackwardKernel.cu,
Indexing.cu and attention_backward.cu.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from launcher.tracing.allocation_log import Scratch

_aten = torch.ops.aten


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def _flash_backward(arguments: Sequence[Any], _out: Any) -> int:
    """The fp32 sum of dQ, one number a head and row, and dK, dV a query head where shared."""
    query, key = arguments[1], arguments[2]
    batch, heads, rows, width = query.shape
    rounded_rows = _up(rows, 128)
    taken: int = 4 * batch * heads * rounded_rows * (_up(width, 32) + 1)
    if key.shape[1] != heads:
        taken += 2 * batch * heads * key.shape[2] * width * key.element_size()
    return taken


def _efficient_backward(arguments: Sequence[Any], _out: Any) -> int:
    """The fp32 sum of dQ of 16-bit inputs, and one number a head and row."""
    query = arguments[1]
    batch, heads, rows, width = query.shape
    sums = 4 * width if query.element_size() == 2 else 0
    taken: int = batch * heads * rows * (sums + 4)
    return taken


def _embedding_backward(arguments: Sequence[Any], _out: Any) -> int:
    """From 3073 tokens on they are sorted, and summed in fp32 by groups of ten of one word.

    Sorted and original 64-bit positions, as much again while they are sorted, and room for as many
    groups as there can be (ATen's EmbeddingBackwardKernel.cu).
    """
    gradient, positions, words = arguments[0], arguments[1].numel(), arguments[2]
    if positions <= _UNSORTED_TOKENS:
        return 0
    groups = positions // 10 + min(positions, words)
    taken: int = 4 * 8 * positions + 4 * groups * gradient.shape[-1]
    return taken


_UNSORTED_TOKENS = 3072


def _softmax_backward(arguments: Sequence[Any], _out: Any) -> int:
    """The product of gradient and output (ATen's SoftMax.cu)."""
    gradient = arguments[0]
    taken: int = gradient.numel() * gradient.element_size()
    return taken


def _index_put(arguments: Sequence[Any], _out: Any) -> int:
    positions: int = arguments[2].numel() // max(arguments[2].shape[-1], 1)
    return 4 * 8 * positions


KERNEL_SCRATCH: dict[Any, Scratch] = {
    _aten._scaled_dot_product_flash_attention_backward.default: _flash_backward,  # noqa: SLF001
    _aten._scaled_dot_product_efficient_attention_backward.default: (  # noqa: SLF001
        _efficient_backward
    ),
    _aten.embedding_dense_backward.default: _embedding_backward,
    _aten._softmax_backward_data.default: _softmax_backward,  # noqa: SLF001
    _aten._index_put_impl_.default: _index_put,
    _aten.index_put.default: _index_put,
}
"""Operation to what its CUDA kernel allocates inside."""

MATRIX_PRODUCTS = frozenset(
    (_aten.mm.default, _aten.addmm.default, _aten.bmm.default, _aten.baddbmm.default)
)
"""Operations that run in cuBLAS."""
