"""How fast cards turn out to be in training: constants learned from measured runs of others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class SpeedConstants(NamedTuple):
    """Shares of what a card could do at best, each learned from many runs at once."""

    matmul: float
    """Large products, of the card's ceiling."""
    attention: float
    """Fused attention, forward and backward, of the same ceiling."""
    attention_of_2023: float
    """The Triton kernels that came before FlashAttention 2."""
    bandwidth: float
    """Elementwise kernels, of the memory's bandwidth."""
    adapter: float
    """Times the counted traffic of adapters that are not fused."""
    unpacking: float
    """4-bit weights to 16-bit ones, of the memory's bandwidth."""
    unpacking_gptq: float
    """The same with GPTQ's kernels of 2023."""
    kernel_seconds: float
    """Host time of a launched kernel, in third-party runs of 2023 and 2024."""
    kernel_seconds_now: float
    """The same with the libraries of today: 46 runs on an H100, most of which the host paced."""
    compiled_host: float
    """Share of it that is left under torch.compile."""
    fp8: float
    """Speed of 8-bit products over 16-bit ones."""
    new_attention_penalty: float
    """Of Hopper and Blackwell, whose tensor cores FlashAttention 2 does not use as they should
    be."""
    base_seconds: float
    """Host time of a micro-batch outside the blocks."""
    link_share: float
    """Of NVLink's total rate, in collectives."""
    pcie_bytes_per_second: Mapping[str, float]
    """Rate of collectives between cards without NVLink, by PCIe generation."""
    overlap: float
    """Share of communication that hides behind work."""
    contention: float
    """What collectives cost the work beside them."""
    unit_seconds: float
    """Fixed price of one FSDP unit in one pass."""
    card_factors: Mapping[str, float]
    """Card id -> its ceiling in training over the rule's; only cards with measured runs."""
    sustained: tuple[tuple[float, float], ...]
    """(watts per specified TFLOPS, share of the specification that products sustain): the rule
    for a card without a measured matrix multiplication."""
    before_ampere: float
    """Times that share, for Volta and Turing."""
    intervals: Mapping[str, tuple[float, float]]
    """Situation -> (low, high) as multiples of what is expected; 90 of 100 runs lie inside."""
    source: str
    as_of: str


def speed_from(document: Mapping[str, Any]) -> SpeedConstants:
    """The constants of hwdb/data/speed.json."""
    values = {name: document[name] for name in SpeedConstants._fields}
    values["sustained"] = tuple(tuple(point) for point in document["sustained"])
    values["intervals"] = {name: tuple(ends) for name, ends in document["intervals"].items()}
    return SpeedConstants(**values)
