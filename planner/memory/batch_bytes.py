"""Bytes as they grow with the batch, once the model and all other settings are known.

A step's sizes are polynomials of many widths (`planner.memory.size`). With the widths filled in,
four numbers of each are left, and the next batch or length costs a few multiplications.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from planner.memory.replay import Moment, Pass
from planner.memory.size import Dimensions, Size


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


_FIELD = 80
_N, _S = 1 << 2 * _FIELD, 1 << _FIELD
"""A polynomial's value at numbers so large that its digits are its coefficients (Kronecker's
substitution): 1, S, N and NS each have a field of the one integer, which adds all four at once."""
_MASK = _S - 1
_GUARDS = sum(1 << _FIELD * place - 1 for place in (1, 2, 3, 4))
"""The highest bit of each field, which no coefficient reaches."""


def widths_of(shape_sizes: Mapping[str, int], **others: int) -> Dimensions:
    """The widths at which `batch_bytes` and `pass_bytes` look at sizes."""
    return Dimensions(shape_sizes, N=_N, S=_S, **others)


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
    totals = [_packed(moment.total, widths) for moment in moments]
    kept: list[int] = []
    for number, total in enumerate(totals):
        if any(_covers(totals[other], total) for other in kept):
            continue
        kept = [other for other in kept if not _covers(total, totals[other])]
        kept.append(number)
    return [_moment(moments[number], totals[number], widths) for number in kept]


def _covers(one: int, other: int) -> bool:
    """Whether no field of `one` is smaller: no guard lends a bit to its field."""
    return (one | _GUARDS) - other & _GUARDS == _GUARDS


def _moment(moment: Moment, total: int, widths: Dimensions) -> MomentBytes:
    gradients = _packed(moment.weight_gradients, widths)
    return MomentBytes(moment.name, _fields(total), batch_bytes(moment.saved, widths), gradients)


def batch_bytes(size: Size, widths: Dimensions) -> BatchBytes:
    """A size with every dimension but the batch's known."""
    return _fields(_packed(size, widths))


def _packed(size: Size, widths: Dimensions) -> int:
    packed = size.at(widths)
    assert isinstance(packed, int), size  # a float would lose digits
    return packed


def _fields(packed: int) -> BatchBytes:
    return BatchBytes(
        packed & _MASK,
        packed >> _FIELD & _MASK,
        packed >> 2 * _FIELD & _MASK,
        packed >> 3 * _FIELD,
    )
