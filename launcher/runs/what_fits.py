"""What would fit where a run ran out of memory with its smallest step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import hwdb
from planner.advice.card import smallest_cards
from planner.advice.growth import largest_sequence_tokens
from planner.memory.estimate import estimate_memory
from planner.run_plan import RunPlan
from planner.shape import ModelShape
from planner.units import gib_text

_SAFE_SHARE = 0.9
"""A prediction that turned out too low is trusted that far."""


def what_would_fit(plan: RunPlan, shape: ModelShape) -> tuple[str, ...]:
    """Hints: changes that would each be enough by themselves, the smallest of their kind."""
    return tuple(_ways(plan, shape))


def _ways(plan: RunPlan, shape: ModelShape) -> Iterator[str]:
    request = plan.request()
    memory = estimate_memory(shape, request)
    # What was predicted did not fit, so less than that is there.
    there = [memory.needed.high_bytes, plan.hardware.available_bytes]
    capacity_bytes = int(_SAFE_SHARE * min(each for each in there if each is not None))
    tokens = largest_sequence_tokens(shape, request, capacity_bytes)
    if tokens and tokens < request.sequence_tokens:
        yield f"sequence_tokens: {tokens} would fit; longer rows are cut"
    if plan.method.name == "full":
        yield "--method lora would fit with far less: it keeps no optimizer state for the weights"
    elif plan.method.name == "lora" and not plan.recovery.allow_qlora:
        quantized = replace(
            plan, method=replace(plan.method, name="qlora", weights="nf4-dq")
        ).request()
        needed = estimate_memory(shape, quantized).needed.expected_bytes
        if needed <= capacity_bytes:
            yield f"--method qlora would fit: it needs {gib_text(needed)} GiB"
    if plan.hardware.device == "cuda":
        yield from _card(memory.needed.high_bytes)
    else:
        yield f"a machine with {gib_text(memory.needed.high_bytes)} GiB free would do"


def _card(needed_bytes: int) -> Iterator[str]:
    offered = Counter(offer.card_id for offer in hwdb.all_offers())
    for card in smallest_cards(hwdb.all_cards(), needed_bytes, offered, count=1):
        assert card.memory_bytes is not None
        size = gib_text(card.memory_bytes)
        yield f"a {card.name} would do: {size} GiB, the smallest card that does"
