"""What autograd does to tensors with data and not to fake ones.

Autograd takes fake tensors for a subclass with rules of its own, and then leaves its savings out:
it adds gradients out of place (torch/csrc/autograd/input_buffer.cpp) and puts gradients of an
indexing or a gather into a copy (FunctionsManual.cpp, index_backward, gather_backward). It also
cannot look into a mask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch._prims_common import is_non_overlapping_and_dense_or_false

_aten = torch.ops.aten

_OWN_STORAGE_USES = 2
_OWN_TENSOR_USES = 4
"""Reference counts of a gradient that only autograd holds, as a dispatch mode sees them: the
gradient itself, and the wrappers around it for the call."""


def _add(*args: Any, **kwargs: Any) -> Any:
    """A sum; the second gradient of a tensor is added into the first where autograd owns that."""
    if _is_gradient_sum(args, kwargs):
        return args[0]
    return _aten.add.Tensor(*args, **kwargs)


def _is_gradient_sum(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    if kwargs or len(args) != 2 or torch.is_grad_enabled() or not _in_backward():
        return False
    first, second = args
    return (
        isinstance(second, torch.Tensor)
        and first.shape == second.shape
        and first.dtype == second.dtype
        and first._use_count() <= _OWN_TENSOR_USES  # noqa: SLF001
        and _storage_uses(first) <= _OWN_STORAGE_USES
        and is_non_overlapping_and_dense_or_false(first)
    )


def _in_backward() -> bool:
    return torch._C._current_graph_task_id() != -1  # noqa: SLF001


def _storage_uses(tensor: torch.Tensor) -> int:
    uses: int = torch._C._storage_Use_Count(tensor.untyped_storage()._cdata)  # noqa: SLF001
    return uses


def _index(tensor: torch.Tensor, indices: Any) -> torch.Tensor:
    """Indexing; a mask picks every position, since the values are not there to look at."""
    mask = indices[0]
    if len(indices) != 1 or mask is None or mask.dtype != torch.bool:
        return _aten.index.Tensor(tensor, indices)  # type: ignore[no-any-return]
    return torch.empty((mask.numel(), *tensor.shape[mask.dim() :]), dtype=tensor.dtype)


def _index_put(
    tensor: torch.Tensor, indices: Any, values: torch.Tensor, accumulate: bool = False
) -> torch.Tensor:
    if accumulate and _in_backward():
        return tensor
    return _aten.index_put.default(  # type: ignore[no-any-return]
        tensor, indices, values, accumulate
    )


def _scatter_add(
    tensor: torch.Tensor, dim: int, index: torch.Tensor, values: torch.Tensor
) -> torch.Tensor:
    if _in_backward() and not torch.is_grad_enabled():
        return tensor
    return _aten.scatter_add.default(tensor, dim, index, values)  # type: ignore[no-any-return]


def _grouped_products(
    left: torch.Tensor, right: torch.Tensor, offsets: torch.Tensor | None = None, *rest: Any
) -> torch.Tensor:
    """Products of experts; without data torch allows them in bf16 only, with data in any dtype."""
    if left.dtype == torch.bfloat16 or left.dim() != 2 or offsets is None:
        return _aten._grouped_mm.default(left, right, offsets, *rest)  # type: ignore[no-any-return]  # noqa: SLF001
    shape: tuple[int, ...] = (left.shape[0], right.shape[-1])
    if right.dim() == 2:
        shape = (offsets.shape[0], *shape)
    return torch.empty(shape, dtype=left.dtype)


def rules_without_data(*, padded: bool) -> dict[Any, Callable[..., Any]]:
    """Operations that run otherwise on tensors without data, and what to run instead.

    `padded` answers whether masks have holes when a model looks into one.
    """

    def value_of(tensor: torch.Tensor) -> Any:
        if tensor.dtype == torch.bool:
            return not padded
        return _aten._local_scalar_dense.default(tensor)  # noqa: SLF001

    return {
        _aten.add.Tensor: _add,
        _aten.index.Tensor: _index,
        _aten.index_put.default: _index_put,
        _aten.scatter_add.default: _scatter_add,
        _aten._grouped_mm.default: _grouped_products,  # noqa: SLF001
        _aten._local_scalar_dense.default: value_of,  # noqa: SLF001
    }
