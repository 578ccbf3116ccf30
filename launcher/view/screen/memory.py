"""Under the chart: the verdict on memory, its named kinds, and the strip of several cards."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from launcher.view.cards import DeviceMemory, MemoryKinds, memory_kinds
from launcher.view.looking import Looking
from launcher.view.progress import RunProgress
from launcher.view.screen.charts import shown_memory
from launcher.view.spans import Line, Span, between, line, width_of
from launcher.view.verdict import peak_sentence, room_sentence
from launcher.view.words import gib_as


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
    room = room_sentence(kinds, plan.predicted_peak_bytes)
    said = _kinds_sentence(progress, memory, kinds)
    if width_of(verdict) + width_of(room) + 4 > columns:
        yield line(" ", *verdict)
        yield line("   ", *room, Span(f", {said}", "dim"))
    else:
        yield between((Span(" "), *verdict), (*room, Span(" ")), columns)
        yield line(Span(f"   {said}", "dim"))
    if len(progress.memories) > 1:
        yield _strip(progress, memory)


def _kinds_sentence(progress: RunProgress, memory: DeviceMemory, kinds: MemoryKinds) -> str:
    def amount(count_bytes: int | None) -> str:
        return gib_as(count_bytes, progress.plan.predicted_peak_bytes if progress.plan else None)

    others = amount(kinds.others_bytes)
    if progress.device == "cpu":
        free = amount(kinds.free_bytes)
        return f"now {amount(memory.now_bytes)}, other programs {others}, free for it {free}"
    if kinds.allocated_bytes is None or kinds.cached_bytes is None:
        return f"now {amount(memory.now_bytes)}, other programs {others}"
    allocated, cached, context = kinds_that_add_up(kinds, amount)
    held = amount(kinds.allocated_bytes + kinds.cached_bytes)
    torch = f"torch held {held} (allocated {allocated}, cached {cached})"
    return f"{torch}, context {context}, others {others}"


def kinds_that_add_up(
    kinds: MemoryKinds, amount: Callable[[int | None], str]
) -> tuple[str, str, str]:
    """Allocated, cached and context as shown, so that with their rounding they make the peak."""
    allocated, cached = amount(kinds.allocated_bytes), amount(kinds.cached_bytes)
    if None in (kinds.allocated_bytes, kinds.cached_bytes, kinds.context_bytes, kinds.run_bytes):
        return allocated, cached, amount(kinds.context_bytes)
    assert kinds.allocated_bytes is not None
    assert kinds.cached_bytes is not None
    held = amount(kinds.allocated_bytes + kinds.cached_bytes)
    decimals = len(held.partition(".")[2])
    cached = f"{max(0.0, float(held) - float(allocated)):.{decimals}f}"
    context = f"{max(0.0, float(amount(kinds.run_bytes)) - float(held)):.{decimals}f}"
    return allocated, cached, context


def _strip(progress: RunProgress, shown: DeviceMemory) -> Line:
    """Every card with its peak and how busy it is; the one in the chart stands out."""
    like = progress.plan.predicted_peak_bytes if progress.plan else None
    parts: list[Span] = [Span("   ")]
    for at, memory in enumerate(progress.memories):
        number = memory.index if memory.index is not None else at
        busy = memory.newest.get("utilization_percent")
        text = f"GPU {number} {gib_as(memory.peak_bytes, like)}" + (
            f" {busy} %" if busy is not None else ""
        )
        if memory is shown:
            parts.append(Span(f"▸{text}  ", "strong"))
        else:
            parts.append(Span(f" {text}  ", "dim"))
    return tuple(parts)
