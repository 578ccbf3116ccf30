"""What a step holds at its highest moment: the blocks of the allocator and who asked for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

_LARGEST = 30
_EVENTS = 2_000_000
_PLUMBING = ("/torch/", "/accelerate/", "/contextlib.py", "/functools.py")
"""Frames that pass a call on; who asked is above them."""


def record() -> None:
    """Note every allocation from here on, with its Python stack."""
    torch.cuda.memory._record_memory_history(  # noqa: SLF001 - the documented way to look
        enabled="all", context="alloc", stacks="python", max_entries=_EVENTS
    )


def recorded() -> dict[str, Any]:
    """The highest moment since `record`, which this ends."""
    snapshot = torch.cuda.memory._snapshot()  # noqa: SLF001
    torch.cuda.memory._record_memory_history(enabled=None)  # noqa: SLF001
    return at_peak(snapshot["device_traces"][0])


def at_peak(events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Bytes above the beginning at the highest moment, and its largest blocks by size and place.

    Blocks that were there before and are freed on the way count below zero.
    """
    live: dict[int, Mapping[str, Any]] = {}
    held: Counter[str] = Counter()
    total = highest = 0
    at_highest: Counter[str] = Counter()
    for event in events:
        if event["action"] == "alloc":
            live[event["addr"]] = event
            held[_name(event)] += event["size"]
            total += event["size"]
        elif event["action"] == "free_completed":
            total -= event["size"]
            made = live.pop(event["addr"], None)
            held["there before"] -= event["size"] if made is None else 0
            if made is not None:
                held[_name(made)] -= made["size"]
        if total > highest:
            highest, at_highest = total, held.copy()
    blocks = [[name, size] for name, size in at_highest.most_common(_LARGEST) if size > 0]
    return {"bytes": highest, "blocks": blocks, "freed_before": at_highest["there before"]}


def _name(event: Mapping[str, Any]) -> str:
    """Size of one block, and the first frames of a library that knows what it is doing."""
    frames = [each for each in event.get("frames", ()) if each["filename"].endswith(".py")]
    known = [each for each in frames if not any(part in each["filename"] for part in _PLUMBING)]
    places = [f"{Path(f['filename']).name}:{f['line']}:{f['name']}" for f in (known or frames)[:2]]
    return " < ".join([f"{event['size']}", *places])
