"""The rules of PyTorch's CUDA caching allocator once more, as plainly as they can be written.

Nothing is shared with `planner.memory.segments`: a segment is a list of pieces in the order of
their addresses, every search looks at all of them, and neighbours of one kind are joined by going
through the list again. Each rule is named after the function of
c10/cuda/CUDACachingAllocator.cpp that has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

MIB = 1 << 20
ENDLESS = 1 << 60


class Piece(NamedTuple):
    """Bytes of a segment; `state` is "free", "unmapped" or the number of a tensor."""

    size: int
    state: str | int


Segment = list[Piece]


class PlainAllocator:
    """Allocated and reserved bytes after each request."""

    def __init__(self, *, expandable: bool, cap_bytes: int | None) -> None:
        self.expandable = expandable
        self.cap = ENDLESS if cap_bytes is None else cap_bytes
        self.pools: dict[bool, list[Segment]] = {True: [], False: []}
        if expandable:
            # ExpandableSegment: addresses for all there may be, pages only where they are needed.
            self.pools = {small: [[Piece(ENDLESS, "unmapped")]] for small in (True, False)}

    @property
    def allocated(self) -> int:
        return sum(piece.size for piece in self._pieces() if isinstance(piece.state, int))

    @property
    def reserved(self) -> int:
        return sum(piece.size for piece in self._pieces() if piece.state != "unmapped")

    def _pieces(self) -> Iterator[Piece]:
        for pool in self.pools.values():
            for segment in pool:
                yield from segment

    def malloc(self, tensor: int, nbytes: int) -> bool:
        """Whether there was room, after release_cached_blocks if there was none at first."""
        size = -(-nbytes // 512) * 512  # round_size
        small = size <= MIB  # get_pool
        place = (
            self._get_free_block(small, size)
            or self._alloc_block(small, size)
            or (self._release_cached_blocks() or self._alloc_block(small, size))
        )
        if place is None:
            return False
        segment, index = place
        left = segment[index].size - size
        split = left >= 512 if small or self.expandable else left > MIB  # should_split
        rest = [Piece(left, "free")] if split else []
        segment[index : index + 1] = [Piece(segment[index].size - left * split, tensor), *rest]
        return True

    def free(self, tensor: int) -> None:
        """free_block: freed pieces and their free neighbours are one."""
        for pool in self.pools.values():
            for segment in pool:
                freed = [Piece(p.size, "free") if p.state == tensor else p for p in segment]
                segment[:] = _joined(freed)

    def _get_free_block(self, small: bool, size: int) -> tuple[Segment, int] | None:
        """Best fit by size, then address; one that may grow counts as what it may grow to."""
        fits = []
        for number, segment in enumerate(self.pools[small]):
            for index, piece in enumerate(segment):
                if piece.state == "free" and piece.size >= size:
                    after = segment[index + 1] if index + 1 < len(segment) else None
                    grows = after is not None and after.state == "unmapped"
                    whole = piece.size + (after.size if after and grows else 0)
                    fits.append((piece.size, number, index, whole))
        fits.sort()
        if not fits:
            return None
        best = fits[0]
        for other in fits[1:]:
            if other[3] >= best[3]:
                break
            best = other
        return self.pools[small][best[1]], best[2]

    def _alloc_block(self, small: bool, size: int) -> tuple[Segment, int] | None:
        if self.expandable:
            return self._try_allocate_expandable_block(small, size)
        if small:  # get_allocation_size
            bytes_ = 2 * MIB
        elif size < 10 * MIB:
            bytes_ = 20 * MIB
        else:
            bytes_ = -(-size // (2 * MIB)) * 2 * MIB
        if self.reserved + bytes_ > self.cap:
            return None
        segment = [Piece(bytes_, "free")]
        self.pools[small].append(segment)
        return segment, 0

    def _try_allocate_expandable_block(self, small: bool, size: int) -> tuple[Segment, int] | None:
        """find_expandable_block, then map_block until it is large enough or there is no page."""
        (segment,) = self.pools[small]
        page = 2 * MIB if small else 20 * MIB
        for start, piece in enumerate(segment):
            if piece.state != "unmapped":
                continue
            first = start - 1 if start and segment[start - 1].state == "free" else start
            room, end = 0, first
            while room < size and end < len(segment) and isinstance(segment[end].state, str):
                room += segment[end].size
                end += 1
            if room >= size:
                break
        while segment[first].state == "unmapped" or segment[first].size < size:
            gap = first if segment[first].state == "unmapped" else first + 1
            have = 0 if gap == first else segment[first].size
            pages = -(-min(size - have, segment[gap].size) // page) * page
            if self.reserved + pages > self.cap:
                return None
            rest = Piece(segment[gap].size - pages, "unmapped")
            segment[gap : gap + 1] = [Piece(pages, "free"), *([rest] if rest.size else [])]
            segment[:] = _joined(segment)
        return segment, first

    def _release_cached_blocks(self) -> None:
        """Whole free segments, or whole pages of free pieces, go back to the driver."""
        for small, pool in self.pools.items():
            if not self.expandable:
                pool[:] = [segment for segment in pool if len(segment) > 1 or _used(segment[0])]
                continue
            page, address = 2 * MIB if small else 20 * MIB, 0
            made: Segment = []
            for piece in pool[0]:
                begin, end = -(-address // page) * page, (address + piece.size) // page * page
                if piece.state == "free" and begin < end:
                    parts = (begin - address, end - begin, address + piece.size - end)
                    states = ("free", "unmapped", "free")
                    made += [Piece(*part) for part in zip(parts, states, strict=True) if part[0]]
                else:
                    made.append(piece)
                address += piece.size
            pool[0][:] = _joined(made)


def _used(piece: Piece) -> bool:
    return isinstance(piece.state, int)


def _joined(segment: Segment) -> Segment:
    made: Segment = []
    for piece in segment:
        if made and not _used(piece) and made[-1].state == piece.state:
            made[-1] = Piece(made[-1].size + piece.size, piece.state)
        else:
            made.append(piece)
    return made
