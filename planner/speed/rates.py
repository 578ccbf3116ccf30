"""What a card does per second in training, as far as that is known."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from hwdb.card import Card
    from hwdb.speed import SpeedConstants

Known = Literal["measured", "family", "rule"]
"""measured: runs of this card were learned from; family: of its architecture; rule: of neither."""

_BEFORE_AMPERE = ("Volta", "Turing")
_NEW_TENSOR_CORES = ("Hopper", "Blackwell")


class CardRates(NamedTuple):
    """Ceilings in FLOP/s and bytes/s; the shares reached in training are in SpeedConstants."""

    card_id: str
    products: float
    """16-bit products with sums in fp32."""
    single_products: float | None
    """fp32 products without tensor cores."""
    bandwidth: float
    attention_share: float
    """Of what older tensor cores reach with FlashAttention 2."""
    link: float
    """Bytes a second that a card sustains in collectives with its neighbours."""
    known: Known
    watts: int | None


def rates_of(card: Card, constants: SpeedConstants) -> CardRates | None:
    """The rates of a card; None where its tensor rate or bandwidth is unknown.

    A card of another vendor than NVIDIA has rates only where its matrix multiplication was
    measured: what is specified says little about what its libraries reach.
    """
    spec = card.bf16_tflops or card.fp16_tflops
    if spec is None or not card.bandwidth_bytes_per_second:
        return None
    if card.vendor != "nvidia" and card.measured_matmul_tflops is None:
        return None
    factor = constants.card_factors.get(card.id)
    ceiling = card.measured_matmul_tflops or spec * _sustained(card, spec, constants)
    return CardRates(
        card_id=card.id,
        products=ceiling * (factor or 1.0) * 1e12,
        single_products=None if card.fp32_tflops is None else card.fp32_tflops * 0.9e12,
        bandwidth=float(card.bandwidth_bytes_per_second),
        attention_share=(
            constants.new_attention_penalty if card.architecture in _NEW_TENSOR_CORES else 1.0
        ),
        link=_link(card, constants),
        known="measured" if factor else "family" if _has_measured_sibling(card) else "rule",
        watts=card.tdp_watts,
    )


def _sustained(card: Card, spec: float, constants: SpeedConstants) -> float:
    """Share of the specified rate that power lets large products sustain.

    GeForce cards have 3 to 5 watts per specified TFLOPS and run above the clock the rate was
    computed with; L4, T4, L40S and H100 have about 1 and run below it.
    """
    before = constants.before_ampere if card.architecture in _BEFORE_AMPERE else 1.0
    points = constants.sustained
    if card.tdp_watts is None:
        return points[len(points) // 2][1] * before
    watts = card.tdp_watts / spec
    if watts <= points[0][0]:
        return points[0][1] * before
    for (low, low_share), (high, high_share) in pairwise(points):
        if watts <= high:
            return (low_share + (high_share - low_share) * (watts - low) / (high - low)) * before
    return points[-1][1] * before


def _link(card: Card, constants: SpeedConstants) -> float:
    if card.nvlink_bytes_per_second:
        return card.nvlink_bytes_per_second * constants.link_share
    generation = str(card.pcie_generation or 4)
    known = constants.pcie_bytes_per_second
    return known.get(generation, known["4"])


def _has_measured_sibling(card: Card) -> bool:
    """Whether a matrix multiplication of this very card was measured."""
    return card.measured_matmul_tflops is not None
