"""CUDA's choices on tensors of the CPU, so that a step keeps what it would keep on a GPU.

Fake tensors on a CUDA device cannot run backward where there is no GPU, so the step runs on fake
CPU tensors, and what CUDA does otherwise is put in its place: attention kernels, dropout masks,
autocast's list of fp32 operations, foreach optimizers, and the masks that Transformers only
leaves out when it can look into them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.nn import functional

from launcher.tracing import attention
from launcher.tracing.replacing import replaced
from planner.request import TrainingRequest


@contextmanager
def cuda_rules(request: TrainingRequest) -> Iterator[None]:
    """Inside, a step on CPU tensors keeps what it would keep on a GPU."""
    with ExitStack() as stack:
        sdpa = attention.scaled_dot_product_attention
        stack.enter_context(
            replaced(functional, scaled_dot_product_attention=sdpa, dropout=_dropout)
        )
        stack.enter_context(_softmax_in_one_kernel())
        stack.enter_context(_foreach_on_cpu())
        stack.enter_context(_autocast_seen_by_all())
        stack.enter_context(_masks(padded=request.padded))
        stack.enter_context(_flash_attention_2(request))
        if request.autocast is not None:
            stack.enter_context(_wide_operations())
        yield


def _dropout(
    entering: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> torch.Tensor:
    """CUDA keeps a mask of one byte an element; the CPU keeps a product."""
    del inplace
    return torch.native_dropout(entering, p, True)[0] if training and p else entering


@contextmanager
def _foreach_on_cpu() -> Iterator[None]:
    from torch.utils import _foreach_utils

    devices = [*_foreach_utils._get_foreach_kernels_supported_devices(), "cpu"]  # noqa: SLF001
    with replaced(_foreach_utils, _get_foreach_kernels_supported_devices=lambda: devices):
        yield


@contextmanager
def _softmax_in_one_kernel() -> Iterator[None]:
    """CUDA makes fp32 of fp16 scores within the kernel; of others it makes a copy first (ATen).

    Autocast asks for fp32 where the caller asks for no dtype (fp32_set_opt_dtype).
    """

    def one_kernel(usual: Callable[..., Any], kernel: Callable[..., Any]) -> Callable[..., Any]:
        def run(scores: torch.Tensor, dim: int, dtype: torch.dtype | None = None) -> Any:
            if dtype is None and torch.is_autocast_enabled("cpu"):
                dtype = torch.float32
            if dtype == torch.float32 and scores.dtype == torch.float16:
                return kernel(scores, dim, True)
            return usual(scores, dim, dtype=dtype)

        return run

    kernels = {"softmax": torch._softmax, "log_softmax": torch._log_softmax}  # noqa: SLF001
    with ExitStack() as stack:
        for owner in (torch, torch.Tensor):
            made = {name: one_kernel(getattr(owner, name), kernels[name]) for name in kernels}
            stack.enter_context(replaced(owner, **made))
        yield


@contextmanager
def _autocast_seen_by_all() -> Iterator[None]:
    """PEFT asks about autocast without naming a device, and means CUDA's."""
    asked, dtype = torch.is_autocast_enabled, torch.get_autocast_dtype
    with replaced(
        torch,
        is_autocast_enabled=lambda _device=None: asked("cpu"),
        get_autocast_dtype=lambda _device=None: dtype("cpu"),
    ):
        yield


@contextmanager
def _masks(*, padded: bool) -> Iterator[None]:
    """Decide about masks as for a batch that is full, or that has padding.

    Transformers never leaves a mask out while it takes itself to be traced.
    """
    from transformers import masking_utils

    with replaced(
        masking_utils,
        is_tracing=lambda *_, **__: False,
        find_packed_sequence_indices=lambda *_, **__: None,
        fast_all=lambda *_, **__: not padded,
    ):
        yield


@contextmanager
def _flash_attention_2(request: TrainingRequest) -> Iterator[None]:
    from transformers.integrations import flash_attention

    old = request.transformers_version is not None and request.transformers_version < (5, 0)
    forward = attention.flash_attention_2_repeated if old else attention.flash_attention_2
    with replaced(flash_attention, _flash_attention_forward=forward):
        yield


@contextmanager
def _wide_operations() -> Iterator[None]:
    """Under autocast, CUDA runs these in fp32 (autocast_mode.h, AT_FORALL_FP32); the CPU not.

    Replaced one by one: a mode around the step would not reach what backward recomputes.
    """
    with ExitStack() as stack:
        for owner, names in _WIDE.items():
            wide = {name: _widened(getattr(owner, name)) for name in names}
            stack.enter_context(replaced(owner, **wide))
        yield


_WIDE: Mapping[Any, tuple[str, ...]] = {
    functional: ("layer_norm", "group_norm", "softplus"),
    torch: ("pow", "exp", "log", "rsqrt", "reciprocal"),
    torch.Tensor: ("pow", "__pow__", "__rpow__", "exp", "log", "rsqrt", "reciprocal"),
}


def _widened(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        if torch.is_autocast_enabled("cpu"):
            args = tuple(_wide(each) for each in args)
            kwargs = {name: _wide(each) for name, each in kwargs.items()}
        return function(*args, **kwargs)

    return run


def _wide(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.dtype in (torch.bfloat16, torch.float16):
        return value.float()
    return value
