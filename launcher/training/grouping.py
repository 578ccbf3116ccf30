"""Rows of like length side by side, so that little is filled up, in an order that resumes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

_SORTED_TOGETHER = 50
"""Micro-batches among whose rows like lengths are looked for; planner.speed.lengths counts so."""


class RowsOfLikeLength(torch.utils.data.Sampler[int]):
    """Micro-batches of rows of like length, the micro-batches themselves in random order.

    The order depends on the seed and the pass alone, so a run that is resumed goes on in it.
    """

    def __init__(self, lengths: Sequence[int], micro_batch: int, seed: int) -> None:
        self._lengths, self._micro_batch, self._seed = lengths, micro_batch, seed
        self._pass = 0

    def __len__(self) -> int:
        return len(self._lengths)

    def set_epoch(self, epoch: int) -> None:
        """Take the order of a pass over the data."""
        self._pass = epoch

    def __iter__(self) -> Iterator[int]:
        order = torch.Generator().manual_seed(self._seed + self._pass)
        rows = torch.randperm(len(self), generator=order).tolist()
        size = self._micro_batch
        whole = len(rows) - len(rows) % size
        together = _SORTED_TOGETHER * size
        batches: list[list[int]] = []
        for start in range(0, whole, together):
            near = sorted(rows[start : min(start + together, whole)], key=self._lengths.__getitem__)
            batches += [near[at : at + size] for at in range(0, len(near), size)]
        for at in torch.randperm(len(batches), generator=order).tolist():
            yield from batches[at]
        yield from rows[whole:]  # fewer than a micro-batch: last, so that no other is cut
