"""Whose processes hold the memory that a run would need."""

from __future__ import annotations

from collections.abc import Iterator

from hwdb.detect import GpuProcess, read_gpus
from planner.units import gib_text

_NAMED = 3


def memory_holders(gpu_uuid: str | None) -> Iterator[str]:
    """Sentences on the processes that hold memory of a GPU, the largest first; none for a host."""
    if gpu_uuid is None:
        return
    held = next((gpu.processes for gpu in read_gpus().gpus if gpu.uuid == gpu_uuid), ())
    by_size = sorted(held, key=lambda each: each.used_bytes or 0, reverse=True)
    for process in by_size[:_NAMED]:
        size = "memory" if process.used_bytes is None else f"{gib_text(process.used_bytes)} GiB"
        yield f"pid {process.pid} ({_program(process)}) holds {size} of it"
    if not held:
        yield "the driver lists no process; outside of a container or WSL nvidia-smi may name it"
    if len(by_size) > _NAMED:
        yield f"{len(by_size) - _NAMED} more processes hold some; nvidia-smi lists them"


def _program(process: GpuProcess) -> str:
    """The program's name without its folder and options."""
    words = (process.name or "").split()
    return words[0].rpartition("/")[2] if words else "name unknown"
