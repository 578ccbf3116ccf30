"""Segments of the CUDA caching allocator and the blocks they are cut into.

Blocks of a segment know their neighbours, so that freed ones join; free ones are sorted by size,
so that the smallest that is large enough is found. `planner.memory.allocator` serves requests
from these.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass

from planner.units import MIB

BLOCK_BYTES = 512
SMALL_REQUEST_BYTES = MIB
SMALL_SEGMENT_BYTES = 2 * MIB
LARGE_SEGMENT_BYTES = 20 * MIB
OWN_SEGMENT_BYTES = 10 * MIB
"""From here on a request gets a segment of its own size."""
SEGMENT_ROUNDING_BYTES = 2 * MIB

_ADDRESS_SPACE_BYTES = 1 << 50


class Driver:
    """What segments are taken from."""

    def __init__(self, cap_bytes: int | None) -> None:
        self.reserved_bytes = self.peak_bytes = 0
        self._cap_bytes = _ADDRESS_SPACE_BYTES if cap_bytes is None else cap_bytes

    def take(self, size_bytes: int) -> bool:
        """Whether it gave that much."""
        if self.reserved_bytes + size_bytes > self._cap_bytes:
            return False
        self.reserved_bytes += size_bytes
        self.peak_bytes = max(self.peak_bytes, self.reserved_bytes)
        return True

    def give_back(self, size_bytes: int) -> None:
        self.reserved_bytes -= size_bytes


@dataclass(eq=False, slots=True)
class Block:
    """A piece of a segment, between its neighbours."""

    pool: Pool
    address: int
    size_bytes: int
    before: Block | None
    after: Block | None
    free: bool = True
    mapped: bool = True


class Pool:
    """Segments for small or for large requests, their free blocks sorted by size."""

    def __init__(self, driver: Driver, *, small: bool) -> None:
        self.small = small
        self.driver = driver
        self.free: list[tuple[int, int]] = []
        """(bytes, address), sorted."""
        self.at: dict[int, Block] = {}
        """Free blocks by address."""
        self._next_address = 0

    def serve(self, size_bytes: int) -> Block | None:
        """A block for a request; None when the driver refuses."""
        block = self.best_fit(size_bytes)
        if block is None:
            block = self.grow(size_bytes)
        if block is None:
            return None
        self.remove(block)
        left_bytes = block.size_bytes - size_bytes
        if self.splits(left_bytes):
            self.cut(block, size_bytes)
        block.free = False
        return block

    def give_back(self, block: Block) -> None:
        """Free a block and join it with its free neighbours."""
        block.free = True
        if block.after is not None and block.after.free and block.after.mapped:
            self.remove(block.after)
            self.join(block)
        before = block.before
        if before is not None and before.free and before.mapped:
            self.remove(before)
            self.join(before)
            block = before
        self.insert(block)

    def release_cached(self) -> None:
        """Give segments that are free as a whole back to the driver."""
        for block in [self.at[address] for _, address in self.free]:
            if block.before is None and block.after is None:
                self.remove(block)
                self.driver.give_back(block.size_bytes)

    def best_fit(self, size_bytes: int) -> Block | None:
        """The smallest free block that is large enough, the lowest address first."""
        index = bisect_left(self.free, (size_bytes, -1))
        return self.at[self.free[index][1]] if index < len(self.free) else None

    def grow(self, size_bytes: int) -> Block | None:
        """A free block that is large enough, from a new segment."""
        if self.small:
            segment_bytes = SMALL_SEGMENT_BYTES
        elif size_bytes < OWN_SEGMENT_BYTES:
            segment_bytes = LARGE_SEGMENT_BYTES
        else:
            segment_bytes = -(-size_bytes // SEGMENT_ROUNDING_BYTES) * SEGMENT_ROUNDING_BYTES
        if not self.driver.take(segment_bytes):
            return None
        block = Block(self, self._next_address, segment_bytes, None, None)
        self._next_address += segment_bytes
        self.insert(block)
        return block

    def splits(self, left_bytes: int) -> bool:
        """Whether what a request leaves of a block becomes a block of its own."""
        return left_bytes >= BLOCK_BYTES if self.small else left_bytes > SMALL_REQUEST_BYTES

    def insert(self, block: Block) -> None:
        """List a block as free."""
        insort(self.free, (block.size_bytes, block.address))
        self.at[block.address] = block

    def remove(self, block: Block) -> None:
        """List a block as free no more."""
        del self.free[bisect_left(self.free, (block.size_bytes, block.address))]
        del self.at[block.address]

    def cut(self, block: Block, size_bytes: int) -> Block:
        """Leave `size_bytes` of a block; the rest, free like it, becomes one of its own."""
        rest = Block(
            self, block.address + size_bytes, block.size_bytes - size_bytes, block, block.after,
            mapped=block.mapped,
        )  # fmt: skip
        if rest.after is not None:
            rest.after.before = rest
        block.size_bytes, block.after = size_bytes, rest
        if rest.mapped:
            self.insert(rest)
        return rest

    def join(self, block: Block) -> None:
        """Swallow the next block."""
        after = block.after
        assert after is not None
        block.size_bytes += after.size_bytes
        block.after = after.after
        if after.after is not None:
            after.after.before = block


class ExpandablePool(Pool):
    """One segment of mapped and unmapped pages; only mapped ones are reserved."""

    def __init__(self, driver: Driver, *, small: bool) -> None:
        super().__init__(driver, small=small)
        self.page_bytes = SMALL_SEGMENT_BYTES if small else LARGE_SEGMENT_BYTES
        self.first = Block(self, 0, _ADDRESS_SPACE_BYTES, None, None, mapped=False)

    def splits(self, left_bytes: int) -> bool:
        """Split always."""
        return left_bytes >= BLOCK_BYTES

    def best_fit(self, size_bytes: int) -> Block | None:
        """The best fit, but a block that could grow counts as large as it could become."""
        index = bisect_left(self.free, (size_bytes, -1))
        if index == len(self.free):
            return None
        block = self.at[self.free[index][1]]
        for _, address in self.free[index + 1 :]:
            other = self.at[address]
            if _could_become(other) >= _could_become(block):
                break
            block = other
        return block

    def grow(self, size_bytes: int) -> Block | None:
        """A free block that is large enough, pages mapped behind free ones where there are some."""
        block = self._growing_place(size_bytes)
        while not block.mapped or block.size_bytes < size_bytes:
            missing = size_bytes if not block.mapped else size_bytes - block.size_bytes
            unmapped = block if not block.mapped else block.after
            assert unmapped is not None
            mapped = self._map(unmapped, min(missing, unmapped.size_bytes))
            if mapped is None:
                return None
            block = mapped
        return block

    def release_cached(self) -> None:
        """Give every whole page of free blocks back to the driver."""
        for block in [self.at[address] for _, address in self.free]:
            start = -(-block.address // self.page_bytes) * self.page_bytes
            end = (block.address + block.size_bytes) // self.page_bytes * self.page_bytes
            if start < end:
                self._unmap(block, start, end)

    def _growing_place(self, size_bytes: int) -> Block:
        """The first unmapped stretch with room, with the free block before it."""
        block: Block | None = self.first
        while block is not None:
            if not block.mapped:
                before = block.before
                start = before if before is not None and before.free and before.mapped else block
                if _room_from(start) >= size_bytes:
                    return start
            block = block.after
        raise AssertionError("the address space ends in unmapped pages")

    def _map(self, block: Block, size_bytes: int) -> Block | None:
        """Map the first pages of an unmapped block; the free block they become a part of."""
        pages_bytes = -(-size_bytes // self.page_bytes) * self.page_bytes
        if not self.driver.take(pages_bytes):
            return None
        if pages_bytes < block.size_bytes:
            self.cut(block, pages_bytes)
        block.mapped = True
        self.give_back(block)
        before = block.before
        return before if before is not None and before.after is not block else block

    def _unmap(self, block: Block, start: int, end: int) -> None:
        self.remove(block)
        if start > block.address:
            rest = self.cut(block, start - block.address)
            self.remove(rest)
            self.insert(block)
            block = rest
        if end < block.address + block.size_bytes:
            self.cut(block, end - block.address)
        self.driver.give_back(block.size_bytes)
        block.mapped = False
        if block.after is not None and not block.after.mapped:
            self.join(block)
        if block.before is not None and not block.before.mapped:
            self.join(block.before)


def _could_become(block: Block) -> int:
    after = block.after
    return block.size_bytes + (after.size_bytes if after is not None and not after.mapped else 0)


def _room_from(start: Block) -> int:
    room_bytes = 0
    block: Block | None = start
    while block is not None and block.free:
        room_bytes += block.size_bytes
        block = block.after
    return room_bytes
