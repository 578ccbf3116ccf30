"""What the caching allocator keeps beyond living tensors: the summary of many replays.

`planner.memory.training_events` served by `planner.memory.allocator`, over models of 1 to 8 billion
parameters, methods, losses and versions (bench/allocator_summary.py), shows: what is kept beyond
the allocated peak goes with what comes and goes within a step (activations, logits and temporaries
at its largest moment), by how the loss handles its logits and whether blocks are computed again.
Equal batches reuse each other's blocks; with unequal ones classic segments are cut ever smaller and
new ones are taken. Expandable segments grow instead.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

from planner.memory.step import Step
from planner.request import TrainingRequest

_Kind = Literal["stock", "triton", "fused"]
_KINDS: dict[str, _Kind] = {"torch": "stock", "triton": "triton"}


class _Shares(NamedTuple):
    """Shares of what comes and goes."""

    equal: float
    """Kept by classic segments when every batch has one length."""
    unequal: float
    """Kept after dozens of batches of unequal lengths."""


_BY_LOSS: dict[_Kind, _Shares] = {
    "stock": _Shares(equal=0.30, unequal=2.3),
    # One more fp32 copy of the logits than the kernel's source explains.
    "triton": _Shares(equal=0.50, unequal=1.9),
    "fused": _Shares(equal=0.13, unequal=0.5),
}
"""Of logits, temporaries and the inputs of blocks that are computed again."""

_KEPT = _Shares(equal=0.0, unequal=0.15)
"""Of activations that are kept: they are freed in the order in which they were made."""

_KEPT_AMONG_GRADIENTS = _Shares(equal=0.35, unequal=1.0)
"""Of those where all weights are trained: lasting gradients take their places."""

_CUT_BY_MOMENTS = 0.8
"""Of what comes and goes where blocks are computed again and all weights are trained: the moments
of AdamW are made when the first batch has gone, and cut the blocks that it left. The next one
finds them too small. It is as much as that where a batch is larger than the gradients, and falls
with the square of their ratio."""

_KEPT_CUT_BY_MOMENTS = 0.35
"""The same share of the gradients, or of what is kept if that is less, where nothing is computed
again."""

_NEEDED = 0.11
"""Share of the same that a budget must have beyond the allocated peak."""

_NEEDED_KEPT = 0.05
"""The same of activations that are kept."""

_STANDING = 0.005
"""Share of all that is allocated: rounding to segments."""

_UNFILLED_LOGITS = {"torch": 0.17, "triton": 0.15}
"""Share of the logits' bytes that no later tensor fits into, in expandable segments too: between
the 16-bit logits and the fp32 ones."""

_EXPANDABLE = 0.002
"""Share of allocated that expandable segments keep on top: rounding to pages."""

_GROWN = 0.13
"""Share of what comes and goes that lies between living tensors when the loss holds no logits:
0.05 to 0.25 in 30 runs on an H100, as replays of their traces say (bench/results/h100.jsonl)."""

_WHOLE_SPREAD = 0.25
"""Coefficient of variation from which on lengths count as fully unequal."""


def classic_reserved(standing_bytes: int, step: Step, request: TrainingRequest) -> int:
    """Reserved bytes with classic segments; `standing_bytes` are the states."""
    spread = _spread(request)
    passing = _between(_BY_LOSS[_KINDS.get(request.loss, "fused")], spread)
    kept = passing
    if request.checkpointing == "none":
        shares = _KEPT_AMONG_GRADIENTS if request.method == "full" else _KEPT
        kept = _between(shares, spread)
    reserved = _with_shares(standing_bytes, step, passing, kept)
    if request.method != "full":
        return reserved
    return max(reserved, standing_bytes + _with_cut_blocks(step, request))


def _with_cut_blocks(step: Step, request: TrainingRequest) -> int:
    """The optimizer's step, and what the batch left in pieces that it cannot use again."""
    moments = step.states.optimizer_bytes
    steps = [t for c, t in zip(step.candidates, step.totals, strict=True) if c.phase == "optimizer"]
    gradients = step.states.gradients_bytes
    if not steps or not gradients:
        return 0
    batch = max(
        candidate.activations_bytes + candidate.logits_bytes + candidate.temporaries_bytes
        for candidate in step.candidates
        if candidate.phase in _PHASES_OF_BATCH
    )
    if request.checkpointing == "none":
        cut = _KEPT_CUT_BY_MOMENTS * min(batch, gradients)
    else:
        cut = _CUT_BY_MOMENTS * batch * min(1.0, batch / gradients) ** 2
    return max(steps) + min(int(cut), moments)


_PHASES_OF_BATCH = ("forward", "loss", "backward")


def classic_needed(standing_bytes: int, step: Step, request: TrainingRequest) -> int:
    """The smallest budget with classic segments, which give back what is free as a whole."""
    kept = _NEEDED_KEPT if request.checkpointing == "none" else _NEEDED
    return _with_shares(standing_bytes, step, _NEEDED, kept)


def _with_shares(standing_bytes: int, step: Step, passing: float, kept: float) -> int:
    most = 0
    for candidate, total in zip(step.candidates, step.totals, strict=True):
        phase, _, _, activations, logits, temporaries = candidate
        if phase == "optimizer":  # it reuses what the batch left
            most = max(most, total)
            continue
        extra = passing * (logits + temporaries) + kept * activations
        most = max(most, total + int(extra))
    allocated = standing_bytes + most
    return allocated + int(_STANDING * allocated)


def _between(shares: _Shares, spread: float) -> float:
    return shares.equal + (shares.unequal - shares.equal) * spread


def expandable_reserved(standing_bytes: int, step: Step, request: TrainingRequest) -> int:
    """Reserved bytes with expandable segments."""
    unfilled = _UNFILLED_LOGITS.get(request.loss)
    most = 0
    for candidate, total in zip(step.candidates, step.totals, strict=True):
        if unfilled is not None:
            extra = unfilled * candidate.logits_bytes
        elif candidate.phase == "optimizer":
            extra = 0.0
        else:
            lasting = candidate.gradients_bytes if request.accumulation > 1 else 0
            if request.checkpointing == "none":
                lasting += candidate.activations_bytes  # freed in the order they were made in
            extra = _GROWN * (total - lasting)
        most = max(most, total + int(extra))
    allocated = standing_bytes + most
    return allocated + int(_EXPANDABLE * (1 + _spread(request)) * allocated)


def _spread(request: TrainingRequest) -> float:
    """How unequal the lengths are, from 0 for equal ones to 1."""
    if request.lengths is None:
        return 1.0 if request.lengths_vary else 0.0
    return _spread_of(request.lengths, request.micro_batch, request.sequence_tokens)


@lru_cache(maxsize=256)
def _spread_of(of_rows: tuple[int, ...], micro_batch: int, longest: int) -> float:
    lengths = [min(length, longest) for length in of_rows]
    mean = sum(lengths) / len(lengths)
    variance = sum((length - mean) ** 2 for length in lengths) / len(lengths)
    # A batch is padded to its longest row, which evens lengths out.
    deviation = variance**0.5 / micro_batch**0.5
    return float(min(1.0, deviation / mean / _WHOLE_SPREAD))
