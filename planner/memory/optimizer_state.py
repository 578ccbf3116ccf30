"""What bitsandbytes' optimizers keep: moments of one byte or in fp32, on the card or in pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_GROUP = 256
"""Elements of a tensor that share one fp32 scale a moment."""
_SMALLEST_8BIT = 4096
_SMALLEST_PAGED = 100_000
"""Smaller tensors have fp32 moments, and moments on the card (bitsandbytes' optim/optimizer.py)."""


class Tensors(NamedTuple):
    """Trained tensors of one size."""

    elements: int
    number: int
    wide: bool = False
    """Whether fp32 moments are asked for, as Transformers does for every nn.Embedding."""


class OptimizerState(NamedTuple):
    """Bytes that the driver moves to host memory when the card is full are `paged_bytes`."""

    on_card_bytes: int
    paged_bytes: int = 0


def bitsandbytes_state(
    trained: Sequence[Tensors], *, eight_bit: bool, paged: bool
) -> OptimizerState:
    """The state of Adam for these tensors; the scales of 8-bit moments are never paged."""
    on_card = in_pages = 0
    for tensors in trained:
        narrow = eight_bit and not tensors.wide and tensors.elements >= _SMALLEST_8BIT
        moments = (2 if narrow else 2 * 4) * tensors.elements * tensors.number
        if paged and tensors.elements >= _SMALLEST_PAGED:
            in_pages += moments
        else:
            on_card += moments
        if narrow:
            on_card += 2 * 4 * -(-tensors.elements // _GROUP) * tensors.number
    return OptimizerState(on_card, in_pages)
