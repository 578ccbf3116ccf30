"""Under the chart: the verdict on memory, its named kinds, and the strip of several cards."""

from __future__ import annotations

from collections.abc import Iterator

from launcher.view.cards import DeviceMemory, MemoryKinds, memory_kinds
from launcher.view.looking import Looking
from launcher.view.progress import RunProgress
from launcher.view.screen.charts import shown_memory
from launcher.view.spans import Line, Span, between, line
from launcher.view.verdict import peak_sentence, room_sentence
from launcher.view.words import gib


def kinds_of(progress: RunProgress, memory: DeviceMemory) -> MemoryKinds:
    """The kinds of memory on a device of a run."""
    free = progress.plan.available_bytes if progress.plan else None
    return memory_kinds(memory, device=progress.device, planned_free_bytes=free)


def memory_lines(progress: RunProgress, looking: Looking, columns: int) -> Iterator[Line]:
    """Verdict with the room left, the kinds in one line, one more line for several cards."""
    plan, memory = progress.plan, shown_memory(progress, looking)
    if plan is None:
        yield line(" the plan of this run is not written yet")
        yield ()
        return
    kinds = kinds_of(progress, memory)
    verdict = peak_sentence(plan, peak_bytes=memory.peak_bytes, steps=progress.numbers.step)
    yield between((Span(" "), *verdict), (*room_sentence(kinds), Span(" ")), columns)
    yield line(Span(f"   {_kinds_sentence(progress, memory, kinds)}", "dim"))
    if len(progress.memories) > 1:
        yield _strip(progress, memory)


def _kinds_sentence(progress: RunProgress, memory: DeviceMemory, kinds: MemoryKinds) -> str:
    others = f"other programs {gib(kinds.others_bytes)}"
    if progress.device == "cpu":
        free = f"free for it {gib(kinds.free_bytes)}"
        return f"now {gib(memory.now_bytes)}, {others}, {free}"
    if kinds.allocated_bytes is None or kinds.cached_bytes is None:
        return f"now {gib(memory.now_bytes)}, {others}"
    torch = (
        f"torch held {gib(kinds.allocated_bytes + kinds.cached_bytes)} "
        f"(allocated {gib(kinds.allocated_bytes)}, cached {gib(kinds.cached_bytes)})"
    )
    return f"{torch}, context {gib(kinds.context_bytes)}, others {gib(kinds.others_bytes)}"


def _strip(progress: RunProgress, shown: DeviceMemory) -> Line:
    """Every card with its peak and how busy it is; the one in the chart stands out."""
    parts: list[Span] = [Span("   ")]
    for at, memory in enumerate(progress.memories):
        number = memory.index if memory.index is not None else at
        busy = memory.newest.get("utilization_percent")
        text = f"GPU {number} {gib(memory.peak_bytes)}" + (f" {busy} %" if busy is not None else "")
        if memory is shown:
            parts.append(Span(f"▸{text}  ", "strong"))
        else:
            parts.append(Span(f" {text}  ", "dim"))
    return tuple(parts)
