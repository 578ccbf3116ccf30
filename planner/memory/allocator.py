"""PyTorch's CUDA caching allocator on paper: what a stream of tensors makes it reserve.

Allocated bytes are what tensors ask for; reserved bytes are what the allocator took from the
driver to serve them, and it keeps what it once took. The rules are those of
c10/cuda/CUDACachingAllocator.cpp with default settings:

- requests are rounded up to 512 bytes; up to 1 MiB they come from 2 MiB segments, below 10 MiB
  from 20 MiB segments, above from segments of their own size, rounded up to 2 MiB;
- the smallest free block that is large enough serves a request, and is split unless what would
  be left is too small; a freed block joins its free neighbours;
- when the driver refuses, whole free segments are given back and the request is made again.

With expandable segments there is one growing segment a pool: pages of 2 MiB (20 MiB for large
requests) are mapped behind its end, and free pages can be given back one by one.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from planner.units import MIB

Event = tuple[int, int]
"""(tensor id, +bytes when it is made or -bytes when it is freed)."""

BLOCK_BYTES = 512
SMALL_REQUEST_BYTES = MIB
SMALL_SEGMENT_BYTES = 2 * MIB
LARGE_SEGMENT_BYTES = 20 * MIB
OWN_SEGMENT_BYTES = 10 * MIB
"""From here on a request gets a segment of its own size."""
SEGMENT_ROUNDING_BYTES = 2 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a stream of tensors did to the allocator."""

    peak_allocated_bytes: int
    peak_reserved_bytes: int
    ran_out: bool
    """Whether a request could not be served within the cap; the peaks are those up to there."""


class _RanOut(Exception):
    """A request cannot be served within the cap."""


@dataclass(eq=False, slots=True)
class _Block:
    """A piece of a segment, a neighbour of others."""

    address: int
    size_bytes: int
    small: bool
    free: bool = True
    before: _Block | None = None
    after: _Block | None = None


def replay(events: Iterable[Event], *, expandable: bool, cap_bytes: int | None = None) -> Replay:
    """Serve a stream of tensors. `cap_bytes` is what the driver has to give; None is no limit."""
    pools = {small: _pool(small=small, expandable=expandable) for small in (True, False)}
    served: dict[int, _Block] = {}
    allocated = peak_allocated = peak_reserved = 0
    ran_out = False
    for tensor, change_bytes in events:
        if change_bytes <= 0:
            block = served.pop(tensor, None)
            if block is not None:
                allocated -= block.size_bytes
                pools[block.small].give_back(block)
            continue
        size_bytes = -(-change_bytes // BLOCK_BYTES) * BLOCK_BYTES
        pool = pools[size_bytes <= SMALL_REQUEST_BYTES]
        try:
            block = served[tensor] = _serve(pool, pools.values(), size_bytes, cap_bytes)
        except _RanOut:
            ran_out = True
            break
        allocated += block.size_bytes
        peak_allocated = max(peak_allocated, allocated)
        peak_reserved = max(peak_reserved, sum(each.reserved_bytes for each in pools.values()))
    return Replay(
        peak_allocated_bytes=peak_allocated, peak_reserved_bytes=peak_reserved, ran_out=ran_out
    )


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


def _serve(pool: _Pool, pools: Iterable[_Pool], size_bytes: int, cap_bytes: int | None) -> _Block:
    block = pool.best_fit(size_bytes)
    if block is not None:
        return pool.take(block, size_bytes)
    if not _has_room(pool, pools, size_bytes, cap_bytes):
        for each in pools:
            each.release_cached()
        if not _has_room(pool, pools, size_bytes, cap_bytes):
            raise _RanOut
    return pool.take(pool.grow(size_bytes), size_bytes)


def _has_room(pool: _Pool, pools: Iterable[_Pool], size_bytes: int, cap_bytes: int | None) -> bool:
    if cap_bytes is None:
        return True
    reserved = sum(each.reserved_bytes for each in pools)
    return reserved + pool.growth_bytes(size_bytes) <= cap_bytes


class _Pool:
    """Segments for small or for large requests, their free blocks sorted by size."""

    def __init__(self, *, small: bool) -> None:
        self.small = small
        self.reserved_bytes = 0
        self._free: list[tuple[int, int]] = []
        self._at: dict[int, _Block] = {}
        self._next_address = 0

    def best_fit(self, size_bytes: int) -> _Block | None:
        """The smallest free block that is large enough, the lowest address first."""
        index = bisect_left(self._free, (size_bytes, -1))
        return self._at[self._free[index][1]] if index < len(self._free) else None

    def take(self, block: _Block, size_bytes: int) -> _Block:
        """Hand out a free block, what is left of it staying free."""
        self._unlist(block)
        left_bytes = block.size_bytes - size_bytes
        if self._splits(left_bytes):
            rest = _Block(
                block.address + size_bytes, left_bytes, self.small,
                before=block, after=block.after,
            )  # fmt: skip
            if rest.after is not None:
                rest.after.before = rest
            block.size_bytes, block.after = size_bytes, rest
            self._list(rest)
        block.free = False
        return block

    def give_back(self, block: _Block) -> None:
        """Free a block and join it with free neighbours."""
        block.free = True
        if block.after is not None and block.after.free:
            self._absorb(block, block.after)
        if block.before is not None and block.before.free:
            before = block.before
            self._unlist(before)
            self._join(before, block)
            block = before
        self._list(block)

    def growth_bytes(self, size_bytes: int) -> int:
        """What would have to be taken from the driver to serve a request."""
        if self.small:
            return SMALL_SEGMENT_BYTES
        if size_bytes < OWN_SEGMENT_BYTES:
            return LARGE_SEGMENT_BYTES
        return -(-size_bytes // SEGMENT_ROUNDING_BYTES) * SEGMENT_ROUNDING_BYTES

    def grow(self, size_bytes: int) -> _Block:
        """A free block that is large enough, from a new segment."""
        segment_bytes = self.growth_bytes(size_bytes)
        block = _Block(self._next_address, segment_bytes, self.small)
        # A gap keeps segments from being neighbours.
        self._next_address += segment_bytes + BLOCK_BYTES
        self.reserved_bytes += segment_bytes
        self._list(block)
        return block

    def release_cached(self) -> None:
        """Give segments that are free as a whole back to the driver."""
        whole = [
            block
            for block in (self._at[address] for _, address in self._free)
            if block.before is None and block.after is None
        ]
        for block in whole:
            self._unlist(block)
            self.reserved_bytes -= block.size_bytes

    def _splits(self, left_bytes: int) -> bool:
        return left_bytes >= BLOCK_BYTES if self.small else left_bytes > SMALL_REQUEST_BYTES

    def _list(self, block: _Block) -> None:
        insort(self._free, (block.size_bytes, block.address))
        self._at[block.address] = block

    def _unlist(self, block: _Block) -> None:
        self._free.pop(bisect_left(self._free, (block.size_bytes, block.address)))
        del self._at[block.address]

    def _absorb(self, block: _Block, free_neighbour: _Block) -> None:
        self._unlist(free_neighbour)
        self._join(block, free_neighbour)

    def _join(self, block: _Block, after: _Block) -> None:
        block.size_bytes += after.size_bytes
        block.after = after.after
        if after.after is not None:
            after.after.before = block


class _ExpandablePool(_Pool):
    """One segment of mapped and unmapped pages; only mapped ones are reserved."""

    # Placeholder so that the class can be completed below.


def _pool(*, small: bool, expandable: bool) -> _Pool:
    return _ExpandablePool(small=small) if expandable else _Pool(small=small)
