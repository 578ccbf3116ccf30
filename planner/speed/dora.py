"""What DoRA moves beyond LoRA: the whole weight in every forward pass, and outputs in fp32.

Source: peft/tuners/lora/dora.py, DoraLinearLayer.forward. To know how long the rows of the weight
have become, it runs the adapter over an identity matrix, adds the base weight and takes norms,
again when checkpoints recompute. The learned lengths are fp32, so every output is multiplied,
added and scaled in fp32 before it is cast back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_FORWARD_KERNELS = 16
"""Identity 2, its cast and two products 3, casts, scaling, sum, norm and division of weights 6;
scaling, two products, sum and cast of outputs 5."""
_BACKWARD_KERNELS = 12
_ACROSS_ROWS = 2.0
"""Passes that adding a transposed matrix counts for: its elements are read a cache line each."""


class DoraTraffic(NamedTuple):
    """One block."""

    forward_bytes: float
    """Per token."""
    backward_bytes: float
    weight_bytes: float
    """Whatever the batch, in every forward pass."""
    forward_kernels: int
    backward_kernels: int


def dora_traffic(
    adapted: Sequence[tuple[str, int, int]], *, entering: int, product: int, base: int
) -> DoraTraffic:
    """Traffic beside that of the same adapters without lengths.

    Bytes of a number that enters the adapter (`entering`), of one that its products make
    (`product`) and of one that the linear itself makes (`base`).
    """
    outputs = sum(out for _, _, out in adapted)
    identity = sum(inputs * inputs for _, inputs, _ in adapted)
    weights = sum(inputs * out for _, inputs, out in adapted)
    # Lengths times the linear's and the adapter's outputs, scaling, both sums.
    forward = (base + 4) + (product + 4) + 8 + 12 + (base + 8)
    # The same backward: each product has two gradients, that of a length summed over tokens.
    toward_base = 8 + _cast(4, base) + 3 * base + (4 + base + 4) + 4
    toward_adapter = 8 + 8 + _cast(4, product) + (4 + product + 4) + 4
    # Written in fp32, cast, read by the product; what that makes, twice cast, scaled, summed.
    of_identity = 4 + _cast(4, product) + product
    of_weights: float = product + _cast(product, entering) + _cast(2, entering) + 2 * entering
    of_weights += 3 * entering * _ACROSS_ROWS + entering
    return DoraTraffic(
        forward_bytes=float(outputs * forward),
        backward_bytes=float(outputs * (toward_base + toward_adapter)),
        weight_bytes=identity * of_identity + weights * of_weights,
        forward_kernels=_FORWARD_KERNELS * len(adapted),
        backward_kernels=_BACKWARD_KERNELS * len(adapted),
    )


def _cast(from_bytes: int, to_bytes: int) -> int:
    """Read and written again, unless it is what it should be already."""
    return 0 if from_bytes == to_bytes else from_bytes + to_bytes
