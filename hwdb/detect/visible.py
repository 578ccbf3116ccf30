"""Which GPUs CUDA_VISIBLE_DEVICES leaves visible, by the rules of the CUDA runtime.

The list names GPUs by index or by a unique start of their UUID. It ends at the first entry that
names no GPU, and an entry that stands twice hides everything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuIdentity:
    """What CUDA_VISIBLE_DEVICES can name."""

    index: int
    uuid: str | None
    mig_parent_index: int | None = None
    mig_parent_uuid: str | None = None


def visible_positions(identities: Sequence[GpuIdentity], value: str | None) -> tuple[int, ...]:
    """Positions in `identities` that stay visible, in the order CUDA numbers them.

    Indexes count GPUs in PCI bus order, which CUDA does with CUDA_DEVICE_ORDER=PCI_BUS_ID.
    A GPU cut into MIG instances stands for the first of them, the only one CUDA opens by index.
    `value` is the variable's text, None when it is not set.
    """
    if value is None:
        return tuple(range(len(identities)))
    named: list[int] = []
    for entry in value.split(","):
        position = _named_position(identities, entry.strip())
        if position is None:
            break
        if position in named:
            return ()
        named.append(position)
    return tuple(named)


def _named_position(identities: Sequence[GpuIdentity], entry: str) -> int | None:
    if entry.startswith("MIG-"):
        return _only([i for i, gpu in enumerate(identities) if _starts(gpu.uuid, entry)])
    if entry.startswith("GPU-"):
        uuids = {_gpu_uuid(gpu) for gpu in identities if _starts(_gpu_uuid(gpu), entry)}
        if len(uuids) != 1:
            return None
        return _first([i for i, gpu in enumerate(identities) if _gpu_uuid(gpu) in uuids])
    # CUDA reads a number the way strtoul does: `1gpu` is 1.
    number = re.match(r"\+?\d+", entry)
    if number is None:
        return None
    index = int(number[0])
    return _first([i for i, gpu in enumerate(identities) if _gpu_index(gpu) == index])


def _gpu_index(gpu: GpuIdentity) -> int:
    return gpu.index if gpu.mig_parent_index is None else gpu.mig_parent_index


def _gpu_uuid(gpu: GpuIdentity) -> str | None:
    return gpu.uuid if gpu.mig_parent_index is None else gpu.mig_parent_uuid


def _starts(uuid: str | None, prefix: str) -> bool:
    return uuid is not None and uuid.lower().startswith(prefix.lower())


def _first(positions: Sequence[int]) -> int | None:
    return positions[0] if positions else None


def _only(positions: Sequence[int]) -> int | None:
    return positions[0] if len(positions) == 1 else None
