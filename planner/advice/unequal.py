"""What rows of unequal lengths cost: padding, and what the allocator keeps; packed and not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from planner.advice.rows import packed_rows, packs, with_lengths
from planner.advice.settings import ASKED
from planner.memory.estimate import KeptBytes
from planner.memory.once import estimate_once
from planner.request import TrainingRequest
from planner.shape import ModelShape
from planner.speed.lengths import packed_count
from planner.units import gib_text

_ROWS_LOOKED_AT = 1000
_LITTLE = 0.05
"""Up to this share of padding rows count as alike."""

_MIXER = 2_654_435_761
"""An odd number near 2**32 divided by the golden ratio: multiples of it are in no order."""


class Filling(NamedTuple):
    """Share of the tokens computed that belong to no row."""

    as_they_come: float
    """Batches in random order, each as long as its longest row."""
    grouped: float
    """Batches of rows of like length."""
    packed: float
    """Rows put together up to the longest length allowed."""


def filling_of(lengths: Sequence[int], rows_at_once: int, longest: int) -> Filling:
    """How full batches of these rows would be; longer rows are cut to `longest` tokens."""
    step = max(1, len(lengths) // _ROWS_LOOKED_AT)
    rows = [min(length, longest) for length in lengths[::step]]
    mixed = [rows[at] for at in sorted(range(len(rows)), key=lambda at: at * _MIXER % 2**32)]
    return Filling(
        as_they_come=_padding(mixed, rows_at_once),
        grouped=_padding(sorted(rows), rows_at_once),
        packed=1 - sum(rows) / (packed_count(rows, longest) * longest),
    )


def _padding(rows: Sequence[int], rows_at_once: int) -> float:
    batches = [rows[at : at + rows_at_once] for at in range(0, len(rows), rows_at_once)]
    return 1 - sum(rows) / sum(max(batch) * len(batch) for batch in batches)


def packing_reason(
    shape: ModelShape,
    request: TrainingRequest,
    lengths: Sequence[int],
    because: str | None = None,
    ways: Mapping[str, KeptBytes] | None = None,
) -> str:
    """What packing does or would change for these rows, and what the card keeps of unequal ones.

    `because` is what was won by the way rows are put together, where that was chosen; `ways` what
    replays of the rows say.
    """
    if not lengths:
        return "the lengths of the rows are not known"
    filling = filling_of(lengths, request.micro_batch, request.sequence_tokens)
    if request.batching == "packed":
        held = packed_rows(request, lengths).held
        said = f"{held:.1f} rows in one, {filling.packed:.0%} empty; kept apart by position"
        return said if because is None else f"{because}: {said}"
    if because == ASKED:
        said = ASKED
    elif not packs(shape):
        said = "packed rows of this family could see each other"
    elif request.micro_batch == 1:
        said = "one row at a time needs no padding"
    elif filling.as_they_come <= _LITTLE:
        said = f"rows are nearly alike: {filling.as_they_come:.0%} padding"
    else:
        said = f"packed rows would be {filling.packed:.0%} empty, and take longer or more memory"
    return said + (_replayed(ways) if ways else _kept(shape, request, lengths))


def grouping_reason(request: TrainingRequest, lengths: Sequence[int]) -> str:
    """What rows of like length side by side save."""
    if request.batching == "packed":
        return "packed rows have no padding"
    if not lengths or request.micro_batch == 1:
        return "nothing is filled up"
    filling = filling_of(lengths, request.micro_batch, request.sequence_tokens)
    return f"padding: {filling.as_they_come:.0%} as rows come, {filling.grouped:.0%} grouped"


def _replayed(ways: Mapping[str, KeptBytes]) -> str:
    each = ", ".join(
        f"{word} {gib_text(ways[name].expandable)} ({gib_text(ways[name].classic)})"
        for name, word in _WAYS.items()
        if name in ways
    )
    return f"; GiB kept when replayed, in PyTorch's usual segments in brackets: {each}"


_WAYS = {"random": "as rows come", "grouped": "by like length", "packed": "packed"}


def _kept(shape: ModelShape, request: TrainingRequest, lengths: Sequence[int]) -> str:
    if request.device == "cpu" or len(set(lengths)) == 1:
        return ""
    unequal = with_lengths(request, lengths)
    growing, classic = (
        estimate_once(shape, replace(unequal, allocator=kind)).reserved.expected_bytes
        for kind in ("expandable", "classic")
    )
    return (
        f"; segments that grow keep {gib_text(growing)} GiB, "
        f"PyTorch's usual ones would {gib_text(classic)}"
    )
