"""bitsandbytes' 4-bit and 8-bit linears on tensors without data.

Their kernels refuse such tensors, and their parameter classes cannot wrap them. These stand-ins
hold the same bytes, subclass the same classes so that PEFT takes its quantized path, and allocate
in forward and backward what bitsandbytes 0.50 does for more than 1536 tokens
(backends/cuda/ops.py, autograd/_functions.py).
"""

# torch and transformers leave much untyped.
# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from bitsandbytes.autograd._functions import MatmulLtState
from bitsandbytes.nn.modules import Linear4bit, Linear8bitLt
from torch import nn
from torch.nn import functional

from launcher.tracing.replacing import replaced
from planner.request import Weights

_GROUP = 64
_SCALE_GROUP = 256


class PackedLinear4bit(Linear4bit):
    """A frozen nf4 linear."""

    def __init__(
        self, inputs: int, outputs: int, *, bias: bool, dtype: torch.dtype, double: bool
    ) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features, self.compute_dtype = inputs, outputs, dtype
        elements = inputs * outputs
        scales = -(-elements // _GROUP)
        packed: Any = _frozen((elements + 1) // 2, 1, dtype=torch.uint8)
        # PEFT asks for these.
        packed.compress_statistics, packed.quant_type = double, "nf4"
        self.weight = packed
        self.register_parameter("bias", _frozen(outputs, dtype=dtype) if bias else None)
        self.double_quantized = double
        self._keep("code", 16)
        if double:
            self._keep("scales", scales, torch.uint8)
            self._keep("scales_of_scales", -(-scales // _SCALE_GROUP))
            self._keep("code_of_scales", 256)
            self._keep("offset", 1)
        else:
            self._keep("scales", scales)

    def _keep(self, name: str, elements: int, dtype: torch.dtype = torch.float32) -> None:
        self.register_buffer(f"quant_{name}", torch.empty(elements, dtype=dtype), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Unpack, multiply, return the input's dtype."""
        out = _Multiply4bit.apply(x.to(self.compute_dtype), self)
        return out.to(x.dtype)  # type: ignore[no-any-return]

    def unpacked(self, *, scale_copies: int) -> torch.Tensor:
        """The whole weight in the compute dtype; double-quantized scales are unpacked too."""
        copies = [
            torch.empty_like(self.get_buffer("quant_scales"), dtype=torch.float32)
            for _ in range(scale_copies if self.double_quantized else 0)
        ]
        weight = torch.empty((self.out_features, self.in_features), dtype=self.compute_dtype)
        del copies
        return weight


class _Multiply4bit(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layer: PackedLinear4bit) -> torch.Tensor:
        ctx.layer = layer
        # The offset is added out of place in forward, in place in backward.
        bias = None if layer.bias is None else layer.bias.to(layer.compute_dtype)
        return functional.linear(x, layer.unpacked(scale_copies=2), bias)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        weight = ctx.layer.unpacked(scale_copies=1).to(gradients[0].dtype)
        return torch.matmul(gradients[0], weight), None


class PackedLinear8bit(Linear8bitLt):
    """A frozen LLM.int8 linear."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool, dtype: torch.dtype) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = inputs, outputs
        self.state = MatmulLtState()
        self.state.has_fp16_weights, self.state.threshold = False, 6.0
        self.index = None
        self.weight = _frozen(outputs, inputs, dtype=torch.int8)
        self.register_parameter("bias", _frozen(outputs, dtype=dtype) if bias else None)
        scales = torch.empty(outputs, dtype=torch.float32)
        self.register_buffer("quant_scales", scales, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Quantize the input by rows, multiply, scale."""
        return _Multiply8bit.apply(x, self)  # type: ignore[no-any-return]

    def unpacked(self, *, scale_copies: int) -> torch.Tensor:
        """The whole weight in fp32."""
        del scale_copies
        return torch.empty((self.out_features, self.in_features), dtype=torch.float32)


class _Multiply8bit(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layer: PackedLinear8bit) -> torch.Tensor:
        flat = x.reshape(-1, x.shape[-1])
        half = flat.to(torch.float16)
        rows = torch.empty(flat.shape, dtype=torch.int8)
        row_scales = torch.empty(flat.shape[0], dtype=torch.float32)
        del half
        products = torch.empty((flat.shape[0], layer.out_features), dtype=torch.int32)
        out = torch.empty((flat.shape[0], layer.out_features), dtype=torch.float16)
        del products, rows, row_scales
        ctx.layer, ctx.shape, ctx.entered = layer, x.shape, flat
        return out.to(x.dtype).reshape(*x.shape[:-1], layer.out_features)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        flat = gradients[0].reshape(-1, gradients[0].shape[-1]).contiguous()
        weight = ctx.layer.weight.to(flat.dtype) * 1
        return torch.matmul(flat, weight).view(ctx.shape), None


@contextmanager
def unpacked_by_peft() -> Iterator[None]:
    """Inside, adapters that need a whole weight, such as DoRA, get it from the stand-ins."""
    from peft.tuners.lora import dora, layer, variants
    from peft.utils.integrations import dequantize_module_weight

    def weight_of(module: nn.Module) -> torch.Tensor:
        if isinstance(module, (PackedLinear4bit, PackedLinear8bit)):
            return module.unpacked(scale_copies=1)
        weight: torch.Tensor = dequantize_module_weight(module)
        return weight

    with ExitStack() as stack:
        for user in (dora, layer, variants):
            stack.enter_context(replaced(user, dequantize_module_weight=weight_of))
        yield


_CLASSIFIERS = ("classifier", "score")
"""Heads that are trained whole beside adapters, which 4-bit weights cannot be."""


def quantize_linears(model: nn.Module, weights: Weights, dtype: torch.dtype) -> None:
    """Put stand-ins in the place of all linears that Transformers would quantize.

    `dtype` is what products are computed in. Experts that are one 3-D parameter stay as they are,
    and so does the head.
    """
    from transformers.pytorch_utils import Conv1D
    from transformers.quantizers.base import get_keys_to_not_convert

    kept = get_keys_to_not_convert(model)
    for name, module in list(model.named_modules()):
        is_linear = type(module) is nn.Linear
        if (
            name in kept
            or name.startswith(_CLASSIFIERS)
            or not (is_linear or isinstance(module, Conv1D))
        ):
            continue
        inputs, outputs = module.weight.shape[::-1] if is_linear else module.weight.shape
        model.set_submodule(
            name, _packed(weights, inputs, outputs, bias=module.bias is not None, dtype=dtype)
        )
    model.is_loaded_in_4bit = weights != "int8"  # type: ignore[assignment]
    model.is_loaded_in_8bit = weights == "int8"  # type: ignore[assignment]
    model.is_quantized = True  # type: ignore[assignment]


def _packed(
    weights: Weights, inputs: int, outputs: int, *, bias: bool, dtype: torch.dtype
) -> nn.Module:
    if weights == "int8":
        return PackedLinear8bit(inputs, outputs, bias=bias, dtype=dtype)
    return PackedLinear4bit(inputs, outputs, bias=bias, dtype=dtype, double=weights == "nf4-dq")


def _frozen(*shape: int, dtype: torch.dtype) -> nn.Parameter:
    return nn.Parameter(torch.empty(*shape, dtype=dtype), requires_grad=False)
