"""What the rest of the space leaves as it is: shorter rows, and more cards than one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from planner.request import Sharding, TrainingRequest
from planner.search.explore import Configuration, Explored

_KEPT_SHARES = (0.999, 0.99, 0.95)
"""Of the tokens of the data, after which longer rows are cut."""
_MULTIPLE = 64
_CARDS = 2
_SHARDINGS: tuple[Sharding, ...] = ("ddp", "fsdp")


def asides(explored: Explored, chosen: Configuration) -> list[Configuration]:
    """The chosen configuration with rows cut shorter, and on two cards; nothing else changed."""
    found = [
        _with(explored, chosen, replace(chosen.structure.request, sequence_tokens=tokens))
        for tokens in shorter(explored.lengths, chosen.structure.request.sequence_tokens)
    ]
    if chosen.accumulation % _CARDS == 0:
        for sharding in _SHARDINGS:
            shared = replace(chosen.structure.request, gpus=_CARDS, sharding=sharding)
            found.append(_with(explored, chosen, shared))
    return [one for one in found if one is not None]


def shorter(lengths: Sequence[int], longest: int) -> Iterator[int]:
    """Lengths to cut at that keep nearly all tokens, longest first; each saves a step at least."""
    total = sum(lengths)
    before = min(longest, max(lengths, default=0))
    for share in _KEPT_SHARES:
        tokens = _cut_that_keeps(lengths, share * total)
        if tokens < before:
            yield tokens
            before = tokens


def _cut_that_keeps(lengths: Sequence[int], wanted: float) -> int:
    low, high = 1, max(1, -(-max(lengths, default=1) // _MULTIPLE))
    while low < high:
        middle = (low + high) // 2
        if kept_tokens(lengths, middle * _MULTIPLE) >= wanted:
            high = middle
        else:
            low = middle + 1
    return low * _MULTIPLE


def kept_tokens(lengths: Sequence[int], longest: int) -> int:
    """Tokens that are left once longer rows are cut."""
    return sum(min(length, longest) for length in lengths)


def lost_text(lengths: Sequence[int], longest: int) -> str:
    """What a cut takes away: "cuts 14 rows, 0.9 % of tokens"."""
    cut = sum(length > longest for length in lengths)
    share = 1 - kept_tokens(lengths, longest) / sum(lengths)
    return f"cuts {cut} row{'' if cut == 1 else 's'}, {100 * share:.1f} % of tokens"


def _with(
    explored: Explored, chosen: Configuration, request: TrainingRequest
) -> Configuration | None:
    structure = chosen.structure._replace(request=request)
    seconds = explored.timings.of(structure, batching=chosen.batching, compiled=chosen.compiled)
    timed = None if seconds is None else seconds(chosen.micro_batch)
    if timed is None:
        return None
    return chosen._replace(structure=structure, accumulation=timed[0], seconds_per_row=timed[1])
