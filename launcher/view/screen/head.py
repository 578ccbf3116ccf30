"""The two lines on top of a run screen: which run, what it is doing, how far it is."""

from __future__ import annotations

from collections.abc import Iterator

from launcher.view.chart import bar
from launcher.view.looking import Looking, Size
from launcher.view.progress import RunProgress
from launcher.view.run_facts import PlannedRun
from launcher.view.spans import Line, Span, between, line
from launcher.view.words import download_text, duration, one_line

_MAKERS = ("NVIDIA ", "GeForce ", "AMD ", "Radeon ")
FIRST_STEP_PHASE = "training"


def head_lines(
    progress: RunProgress, size: Size, looking: Looking, *, folder: str
) -> Iterator[Line]:
    """Title and progress bar."""
    name = run_name(progress, looking)
    if size.wide:
        name = f"{name} · {folder}"
    doing = "view frozen, it goes on" if looking.frozen else what_it_does(progress)
    yield between(
        line(Span(f" {one_line(name)}", "title")), line(Span(f"{doing} ", "strong")), size.columns
    )
    share = progress.done_fraction()
    full, empty = bar(share, size.columns - 8)
    yield line(" ", Span(full, "measured"), Span(empty, "dim"), f" {round(100 * share):>3} % ")


def run_name(progress: RunProgress, looking: Looking | None = None) -> str:
    """What is trained, how and where: "llama-3.1-8b · lora r16 · GPU 0 RTX 4090"."""
    plan = progress.plan
    if plan is None:
        return "tlplan"
    parts = [plan.model, method_name(plan), device_name(progress, looking)]
    if progress.attempt > 1:
        parts.append(f"attempt {progress.attempt}")
    return " · ".join(parts)


def method_name(plan: PlannedRun) -> str:
    """The method with the width of its adapter: "lora r16"."""
    return f"{plan.method} r{plan.rank}" if plan.rank else plan.method


def device_name(progress: RunProgress, looking: Looking | None = None) -> str:
    """Where it runs, without the maker's name."""
    plan = progress.plan
    if plan is None or plan.device == "cpu":
        return "CPU"
    at = progress.fullest if looking is None or looking.device is None else looking.device
    memory = progress.memories[at]
    name = str(memory.newest.get("card_name") or plan.gpu or "GPU")
    for maker in _MAKERS:
        name = name.removeprefix(maker)
    return name if memory.index is None else f"GPU {memory.index} {name}"


def what_it_does(progress: RunProgress) -> str:
    """The phase, with the step once there is one."""
    numbers, phase = progress.numbers, one_line(progress.phase)
    if progress.finished:
        return f"finished in {duration(progress.seconds)}"
    if progress.download is not None:
        return f"{phase} {download_text(progress.download)}"
    if progress.measuring is not None:
        return f"{phase}: {one_line(str(progress.measuring))}"
    if phase == FIRST_STEP_PHASE and numbers.step == 0:
        return "first step"
    if numbers.total_steps is None:
        return phase
    return f"{phase}, step {numbers.step} of {numbers.total_steps}"
