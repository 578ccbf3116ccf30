"""Which method to take: the lightest change that fits, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from planner.request import Method
from planner.units import difference_text

if TYPE_CHECKING:
    from planner.plan import MethodAnswer

ReasonCode = Literal[
    "ASKED",
    "FITS_WITHOUT_QUANTIZATION",
    "FITS_QUANTIZED_ONLY",
    "TIGHT_WITHOUT_QUANTIZATION",
    "TIGHT_QUANTIZED",
    "FULL_ONLY_ON_REQUEST",
]

_ORDER: tuple[Method, ...] = ("lora", "qlora", "full")


class Recommendation(NamedTuple):
    """A method and the reason for it."""

    method: Method
    reason_code: ReasonCode
    reason: str


def recommend(answers: Sequence[MethodAnswer]) -> Recommendation | None:
    """The method to take, None when none fits or there is no memory to judge against."""
    by_method = {answer.method: answer for answer in answers}
    for fits in ("yes", "tight"):
        for method in _ORDER:
            answer = by_method.get(method)
            if answer is not None and answer.verdict.fits == fits:
                return _because(answer, by_method)
    return None


def _because(answer: MethodAnswer, by_method: Mapping[Method, MethodAnswer]) -> Recommendation:
    verdict = answer.verdict
    assert verdict.spare_bytes is not None
    assert verdict.capacity_bytes
    percent = round(100 * verdict.spare_bytes / verdict.capacity_bytes)
    if verdict.fits == "tight":
        spare = difference_text(verdict.capacity_bytes, answer.memory.needed.expected_bytes)
        code: ReasonCode = (
            "TIGHT_QUANTIZED" if answer.method == "qlora" else "TIGHT_WITHOUT_QUANTIZATION"
        )
        reason = f"Only {spare} GiB to spare: it may run out of memory if the estimate is low."
    elif len(by_method) == 1:
        code = "ASKED"
        reason = f"Fits with {percent} % to spare."
    elif answer.method == "lora":
        code = "FITS_WITHOUT_QUANTIZATION"
        reason = f"Fits with {percent} % to spare and needs no quantization."
    elif answer.method == "qlora":
        code = "FITS_QUANTIZED_ONLY"
        unquantized = by_method["lora"].verdict.fits if "lora" in by_method else "no"
        would = "would be tight" if unquantized == "tight" else "would not"
        reason = f"Fits with {percent} % to spare; unquantized weights {would}."
    else:
        code = "FULL_ONLY_ON_REQUEST"
        reason = f"Fits with {percent} % to spare."
    return Recommendation(method=answer.method, reason_code=code, reason=reason)
