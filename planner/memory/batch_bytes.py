"""Bytes as they grow with the batch, once the model and all other settings are known.

A step's sizes are polynomials of many widths (`planner.memory.size`). With the widths filled in,
four numbers of each are left, and the next batch or length costs a few multiplications.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

from planner.memory.moments import Coefficients, Moments, Totals
from planner.memory.replay import Pass
from planner.memory.size import Dimensions, Size

_FIELD = 128
_S, _N, _NS = 1 << _FIELD, 1 << 2 * _FIELD, 1 << 3 * _FIELD
"""A polynomial's value at numbers so large that its digits are its coefficients (Kronecker's
substitution): 1, S, N and NS each have a field of the one integer, which adds all four at once."""
_MASK = _S - 1
_HALF = 1 << _FIELD - 1
_HALVES = _HALF * (1 + _S + _N + _NS)
"""Added to a field, it makes of a negative coefficient a number above 0."""


class BatchBytes:
    """`fixed` bytes, and more per token of a row, token of the batch, and score. Immutable.

    A score is what attention gives a pair of tokens: tokens of the batch x tokens of a row.
    """

    __slots__ = ("coefficients", "packed")

    def __init__(
        self, fixed: int = 0, per_length: int = 0, per_token: int = 0, per_score: int = 0
    ) -> None:
        self.packed = fixed + per_length * _S + per_token * _N + per_score * _NS
        self.coefficients: Coefficients | None = None
        """Written out once the first number is asked for."""

    def __add__(self, other: BatchBytes) -> BatchBytes:
        return _of(self.packed + other.packed)

    def __sub__(self, other: BatchBytes) -> BatchBytes:
        return _of(self.packed - other.packed)

    def __mul__(self, times: int) -> BatchBytes:
        return _of(self.packed * times)

    def plus(self, fixed: int) -> BatchBytes:
        """With so many bytes more, whatever the batch is."""
        return _of(self.packed + fixed)

    def at(self, tokens: int, length: int) -> int:
        """The number, for a batch of so many tokens in rows of `length`."""
        fixed, per_length, per_token, per_score = self.coefficients or self._unpacked()
        return fixed + per_length * length + (per_token + per_score * length) * tokens

    def _unpacked(self) -> Coefficients:
        above = self.packed + _HALVES
        self.coefficients = (
            (above & _MASK) - _HALF,
            (above >> _FIELD & _MASK) - _HALF,
            (above >> 2 * _FIELD & _MASK) - _HALF,
            (above >> 3 * _FIELD) - _HALF,
        )
        return self.coefficients


def _of(packed: int) -> BatchBytes:
    made = _new(BatchBytes)
    made.packed = packed
    made.coefficients = None
    return made


_new = object.__new__
NO_BYTES = BatchBytes()


class LargestBytes(NamedTuple):
    """The largest moment of a block's pass with some batch; see `planner.memory.moments`."""

    name: str
    total_bytes: int
    saved_bytes: int
    weight_gradients_bytes: int


class MomentsBytes:
    """Moments of a block's pass at the widths of a model."""

    def __init__(self, moments: Moments, totals: Totals, widths: Dimensions) -> None:
        self._moments = moments
        self._totals = totals
        self._widths = widths
        self._known: dict[tuple[int, int], LargestBytes] = {}
        """By batch: a step looks at one pass at its first block and its last, a sweep again."""

    def largest(self, tokens: int, length: int) -> LargestBytes:
        """The first of the largest with a batch of so many tokens in rows of `length`."""
        known = self._known.get((tokens, length))
        if known is None:
            known = self._among_few(tokens, length) if self._known else self._of_all(tokens, length)
            if len(self._known) >= _MOST_BATCHES:
                self._known.clear()
            self._known[tokens, length] = known
        return known

    def _of_all(self, tokens: int, length: int) -> LargestBytes:
        rank = self._widths["r"]
        batch = Dimensions(N=tokens, S=length, r=rank, NS=tokens * length, Nr=tokens * rank)
        moment, total = self._moments.largest(self._totals, batch)
        return LargestBytes(
            moment.name,
            total,
            batch_bytes(moment.saved, self._widths).at(tokens, length),
            _packed(moment.weight_gradients, self._widths),
        )

    def _among_few(self, tokens: int, length: int) -> LargestBytes:
        """The same, of those that some batch makes the largest.

        To find these takes as long as a few batches, so the first does without.
        """
        totals = [few.total.at(tokens, length) for few in self._few]
        total = max(totals)
        name, _, saved, stays = self._few[totals.index(total)]
        return LargestBytes(name, total, saved.at(tokens, length), stays)

    @cached_property
    def _few(self) -> list[_MomentBytes]:
        widths = self._widths
        return [
            _MomentBytes(
                moment.name,
                BatchBytes(*coefficients),
                batch_bytes(moment.saved, widths),
                _packed(moment.weight_gradients, widths),
            )
            for moment, coefficients in self._moments.ever_largest(self._totals, int(widths["r"]))
        ]


class _MomentBytes(NamedTuple):
    """A moment of a block's pass, for any batch."""

    name: str
    total: BatchBytes
    saved: BatchBytes
    weight_gradients_bytes: int


_MOST_BATCHES = 64


class PassTotals:
    """What the moments of a block's pass take at the widths of a model, whatever the rank is.

    Moments are looked at when they are first asked for: no step needs all three kinds.
    """

    def __init__(self, block: Pass, widths: Dimensions) -> None:
        self.block = block
        self._widths = widths

    @cached_property
    def forward(self) -> Totals:
        """Those of forward."""
        return self.block.forward.totals(self._widths)

    @cached_property
    def evaluated(self) -> Totals:
        """Those of forward where no backward follows."""
        return self.block.evaluated.totals(self._widths)

    @cached_property
    def unsaved(self) -> Totals:
        """Those of a forward that keeps nothing for backward."""
        return self.block.unsaved.totals(self._widths)

    @cached_property
    def recomputed(self) -> Totals:
        """Those of forward up to where a checkpoint stops computing again."""
        return self.block.recomputed.totals(self._widths)

    @cached_property
    def backward(self) -> Totals:
        """Those of backward."""
        return self.block.backward.totals(self._widths)


class PassBytes:
    """A block's pass in numbers; see `planner.memory.replay.Pass`."""

    def __init__(self, totals: PassTotals, widths: Dimensions) -> None:
        self._totals = totals
        self._block = totals.block
        self._widths = widths
        self.saved = batch_bytes(self._block.saved, widths)
        self.saves_input = self._block.saves_input
        self.holds_input = self._block.holds_input

    @property
    def waiting_gradients(self) -> BatchBytes:
        """Gradients that are there when a checkpointed block is computed again."""
        return batch_bytes(self._block.waiting_gradients, self._widths)

    @property
    def held(self) -> BatchBytes:
        """What outlives backward."""
        return batch_bytes(self._block.held, self._widths)

    @cached_property
    def forward(self) -> MomentsBytes:
        """Moments of forward."""
        return MomentsBytes(self._block.forward, self._totals.forward, self._widths)

    @cached_property
    def evaluated(self) -> MomentsBytes:
        """Those of forward where no backward follows."""
        return MomentsBytes(self._block.evaluated, self._totals.evaluated, self._widths)

    @cached_property
    def unsaved(self) -> MomentsBytes:
        """Those of a forward that keeps nothing for backward."""
        return MomentsBytes(self._block.unsaved, self._totals.unsaved, self._widths)

    @cached_property
    def recomputed(self) -> MomentsBytes:
        """Those up to where a checkpoint stops computing again."""
        return MomentsBytes(self._block.recomputed, self._totals.recomputed, self._widths)

    @cached_property
    def backward(self) -> MomentsBytes:
        """Moments of backward."""
        return MomentsBytes(self._block.backward, self._totals.backward, self._widths)


def widths_of(shape_sizes: Mapping[str, int], **others: int) -> Dimensions:
    """The widths at which sizes are looked at here."""
    return Dimensions(shape_sizes, N=_N, S=_S, **others)


def batch_bytes(size: Size, widths: Dimensions) -> BatchBytes:
    """A size with every dimension but the batch's known."""
    return _of(_packed(size, widths))


def _packed(size: Size, widths: Dimensions) -> int:
    packed = size.at(widths)
    assert isinstance(packed, int), size  # a float would lose digits
    return packed
