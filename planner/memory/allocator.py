"""PyTorch's CUDA caching allocator on paper: what a stream of tensors makes it reserve.

Allocated bytes are what tensors ask for; reserved bytes are what the allocator took from the
driver to serve them, and it keeps what it once took. The rules are those of
c10/cuda/CUDACachingAllocator.cpp with default settings:

- requests are rounded up to 512 bytes; up to 1 MiB they come from 2 MiB segments, below 10 MiB
  from 20 MiB segments, above from segments of their own size, rounded up to 2 MiB;
- the smallest free block that is large enough serves a request, and is split unless what would
  be left is too small; a freed block joins its free neighbours;
- when the driver refuses, whole free segments are given back and the request is made again.

With expandable segments each pool has one segment that grows by pages (2 MiB for small, 20 MiB
for large requests), at the first unmapped place with room and from free bytes before it, and when
the driver refuses every page without a tensor is given back.

Left out: what is off unless asked for (max_split_size_mb, garbage_collection_threshold, rounding to
powers of two, pools of CUDA graphs), several streams and tensors that wait for one of them
(record_stream), the limit of an expandable segment's addresses (9/8 of the card), and that the
driver hands out addresses again: a new segment lies behind all others, which decides between free
blocks of one size only.
How segments and their blocks are kept stands in `planner.memory.segments`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from planner.memory.segments import (
    BLOCK_BYTES,
    SMALL_REQUEST_BYTES,
    Block,
    Driver,
    ExpandablePool,
    Pool,
)
from planner.units import MIB

Event = tuple[int, int]
"""(tensor id, +bytes when it is made or -bytes when it is freed)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a stream of tensors did to the allocator."""

    peak_allocated_bytes: int
    peak_reserved_bytes: int
    ran_out: bool
    """Whether a request could not be served within the cap; the peaks are those up to there."""


def replay(events: Iterable[Event], *, expandable: bool, cap_bytes: int | None = None) -> Replay:
    """Serve a stream of tensors. `cap_bytes` is what the driver has to give; None is no limit."""
    driver = Driver(cap_bytes)
    make = ExpandablePool if expandable else Pool
    small, large = make(driver, small=True), make(driver, small=False)
    served: dict[int, Block] = {}
    allocated = peak = 0
    for tensor, change_bytes in events:
        if change_bytes > 0:
            size_bytes = -(-change_bytes // BLOCK_BYTES) * BLOCK_BYTES
            pool = small if size_bytes <= SMALL_REQUEST_BYTES else large
            block = pool.serve(size_bytes)
            if block is None:
                small.release_cached()
                large.release_cached()
                block = pool.serve(size_bytes)
            if block is None:
                break
            served[tensor] = block
            allocated += block.size_bytes
            peak = max(peak, allocated)
        elif tensor in served:
            block = served.pop(tensor)
            allocated -= block.size_bytes
            block.pool.give_back(block)
    else:
        return Replay(
            peak_allocated_bytes=peak, peak_reserved_bytes=driver.peak_bytes, ran_out=False
        )
    return Replay(peak_allocated_bytes=peak, peak_reserved_bytes=driver.peak_bytes, ran_out=True)


def smallest_budget(
    events: Sequence[Event], *, expandable: bool, precision_bytes: int = 16 * MIB
) -> int:
    """Fewest bytes, within `precision_bytes`, with which the stream does not run out."""
    free = replay(events, expandable=expandable)
    too_small, enough = free.peak_allocated_bytes - 1, free.peak_reserved_bytes
    while enough - too_small > precision_bytes:
        middle = (too_small + enough) // 2
        if replay(events, expandable=expandable, cap_bytes=middle).ran_out:
            too_small = middle
        else:
            enough = middle
    return enough
