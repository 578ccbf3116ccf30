"""Counts the bytes of every tensor that is alive while real torch code runs.

An operation's output whose storage was not seen before is a birth; the storage's end is its
death. What a kernel takes and gives back inside one operation stays unseen.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_BLOCK = 512
"""The CUDA caching allocator rounds up to this; the planner counts small tensors so."""


@dataclass(frozen=True, slots=True)
class Living:
    """A tensor that was alive at the peak."""

    bytes: int
    phase: str
    operation: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(slots=True)
class Peak:
    """The most bytes of one phase, and what they were."""

    bytes: int = 0
    operation: str = ""
    living: list[Living] = field(default_factory=list)


class LiveStorage(TorchDispatchMode):
    """While active, keeps `bytes` alive now and the peak of each phase."""

    def __init__(self) -> None:
        super().__init__()
        self.phase = "before"
        self.bytes = 0
        self.peaks: dict[str, Peak] = {}
        self._living: dict[int, Living] = {}
        self._watched: dict[int, weakref.ref[Any]] = {}

    def adopt(self, tensors: Iterable[torch.Tensor], name: str) -> None:
        """Count tensors that were made before the mode became active."""
        for tensor in tensors:
            self._watch(tensor, name)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and look at what it made."""
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, torch.Tensor):
                self._watch(leaf, str(func))
        return made

    def _watch(self, tensor: torch.Tensor, operation: str) -> None:
        storage = tensor.untyped_storage()
        key = id(storage)
        known = self._watched.get(key)
        if not storage.nbytes() or (known is not None and known() is storage):
            return
        size = -(-storage.nbytes() // _BLOCK) * _BLOCK
        dtype = str(tensor.dtype).removeprefix("torch.")
        self._living[key] = Living(size, self.phase, operation, tuple(tensor.shape), dtype)
        self._watched[key] = weakref.ref(storage, lambda _gone: self._forget(key, size))
        self.bytes += size
        peak = self.peaks.setdefault(self.phase, Peak())
        if self.bytes > peak.bytes:
            self.peaks[self.phase] = Peak(self.bytes, operation, list(self._living.values()))

    def _forget(self, key: int, size: int) -> None:
        self.bytes -= size
        del self._living[key], self._watched[key]
