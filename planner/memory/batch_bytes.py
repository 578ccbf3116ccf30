"""Bytes as they grow with the batch, once the model and all other settings are known.

A step's sizes are polynomials of many widths (`planner.memory.size`). With the widths filled in,
four numbers of each are left, and the next batch or length costs a few multiplications.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from planner.memory.replay import Moment, Pass
from planner.memory.size import Dimensions, Monomial, Size


class BatchBytes:
    """`fixed` bytes, and more per token of a row, token of the batch, and score. Immutable.

    A score is what attention gives a pair of tokens: tokens of the batch x tokens of a row.
    """

    __slots__ = ("fixed", "per_length", "per_score", "per_token")

    def __init__(
        self, fixed: int = 0, per_length: int = 0, per_token: int = 0, per_score: int = 0
    ) -> None:
        self.fixed = fixed
        self.per_length = per_length
        self.per_token = per_token
        self.per_score = per_score

    def __add__(self, other: BatchBytes) -> BatchBytes:
        return BatchBytes(
            self.fixed + other.fixed,
            self.per_length + other.per_length,
            self.per_token + other.per_token,
            self.per_score + other.per_score,
        )

    def __sub__(self, other: BatchBytes) -> BatchBytes:
        return self + other * -1

    def __mul__(self, times: int) -> BatchBytes:
        return BatchBytes(
            self.fixed * times,
            self.per_length * times,
            self.per_token * times,
            self.per_score * times,
        )

    def plus(self, fixed: int) -> BatchBytes:
        """With so many bytes more, whatever the batch is."""
        return BatchBytes(self.fixed + fixed, self.per_length, self.per_token, self.per_score)

    def at(self, tokens: int, length: int) -> int:
        """The number, for a batch of so many tokens in rows of `length`."""
        a_token = self.per_token + self.per_score * length
        return self.fixed + self.per_length * length + a_token * tokens

    def is_covered_by(self, other: BatchBytes) -> bool:
        """Whether `other` is at least as large whatever the batch is."""
        return (
            self.fixed <= other.fixed
            and self.per_length <= other.per_length
            and self.per_token <= other.per_token
            and self.per_score <= other.per_score
        )


NO_BYTES = BatchBytes()


class MomentBytes(NamedTuple):
    """A moment of a block's pass in numbers; see `planner.memory.replay.Moment`."""

    name: str
    total: BatchBytes
    saved: BatchBytes
    weight_gradients_bytes: int


class PassBytes(NamedTuple):
    """A block's pass in numbers; see `planner.memory.replay.Pass`."""

    forward: list[MomentBytes]
    recomputed: list[MomentBytes]
    backward: list[MomentBytes]
    saved: BatchBytes
    saves_input: bool
    waiting_gradients: BatchBytes
    held: BatchBytes


def pass_bytes(block: Pass, widths: Dimensions) -> PassBytes:
    """The pass at these widths, without the moments that another one exceeds for any batch."""
    return PassBytes(
        forward=_moments(block.forward, widths),
        recomputed=_moments(block.recomputed, widths),
        backward=_moments(block.backward, widths),
        saved=batch_bytes(block.saved, widths),
        saves_input=block.saves_input,
        waiting_gradients=batch_bytes(block.waiting_gradients, widths),
        held=batch_bytes(block.held, widths),
    )


def _moments(moments: list[Moment], widths: Dimensions) -> list[MomentBytes]:
    totals = [batch_bytes(moment.total, widths) for moment in moments]
    kept: list[int] = []
    for number, total in enumerate(totals):
        if any(total.is_covered_by(totals[other]) for other in kept):
            continue
        kept = [other for other in kept if not totals[other].is_covered_by(total)]
        kept.append(number)
    return [_moment(moments[number], totals[number], widths) for number in kept]


def _moment(moment: Moment, total: BatchBytes, widths: Dimensions) -> MomentBytes:
    gradients = batch_bytes(moment.weight_gradients, widths).fixed
    return MomentBytes(moment.name, total, batch_bytes(moment.saved, widths), gradients)


def batch_bytes(size: Size, widths: Dimensions) -> BatchBytes:
    """A size with every dimension but the batch's known."""
    found = [0.0, 0.0, 0.0, 0.0]
    for product, count in size.terms.items():
        place, rest = _place(product)
        found[place] += count * widths[rest]
    return BatchBytes(*map(round, found))


@lru_cache(maxsize=1024)
def _place(product: Monomial) -> tuple[int, Monomial]:
    """Which of a BatchBytes' numbers a product of dimensions belongs to, and what is left of it."""
    rest = product.replace("N", "", 1).replace("S", "", 1)
    return ("S" in product) + 2 * ("N" in product), rest
