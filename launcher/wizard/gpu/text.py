"""The first step in words: the table of places, and what is known of the current one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import hwdb
from hwdb.card import Card
from hwdb.detect.machine import GpuProcess
from hwdb.detect.nvml_survey import GpuSurvey
from launcher.output.lines import filled
from launcher.output.numbers import count_text, filled_cells, gib
from launcher.view.spans import EMPTY, Line, Role, Span, cut_text, line
from launcher.wizard.gpu.choices import Place, State
from planner.units import MIB

HEAD = line(Span(f"{'#':3}{'Name':26}{'Memory':10}{'Free now':20}{'Compute':9}State", "dim"))
_BAR = 12
_STATE_ROLE: dict[State, Role] = {
    "ready": "fits",
    "in use": "tight",
    "full": "over",
    "unknown": "tight",
    "lost": "over",
    "simulated": "tight",
}


NARROW_HEAD = line(Span(f"{'#':3}{'Name':26}{'Memory':10}{'Free':7}State", "dim"))


def place_row(place: Place, *, narrow: bool = False) -> Line:
    """One row of the table."""
    budget = place.budget
    number = "-" if budget.index is None else str(budget.index)
    total, free = budget.total_bytes, budget.free_bytes
    memory = "unknown" if total is None else f"{gib(total)} GiB"
    if total is None or free is None:
        cells, told = 0, "unknown"
    else:
        cells, told = filled_cells(free, total, _BAR), f"{gib(free):>5}"
    capability = budget.compute_capability
    compute = "-" if capability is None else f"{capability[0]}.{capability[1]}"
    name = cut_text(f"CPU  {budget.name}" if budget.device == "cpu" else budget.name, 24)
    state = Span(place.state, _STATE_ROLE[place.state])
    if narrow:
        return line(f"{number:3}{name:26}{memory:10}", f"{told.strip():7}", state)
    return line(
        f"{number:3}{name:26}{memory:10}",
        Span(("█" * cells).ljust(_BAR, " " if told == "unknown" else "░"), "measured"),
        f" {told:7}{compute:9}",
        state,
    )


def place_lines(place: Place, survey: GpuSurvey) -> list[Line]:
    """What is known of a place."""
    if place.state == "simulated":
        return simulated_lines(place)
    if place.reading is None:
        return _cpu_lines(place)
    facts = [
        ("memory", _memory_text(place)),
        ("in use by", _users_text(place)),
        ("can do", _abilities_text(place)),
        ("speed", _speed_text(place)),
        ("known as", _known_text(place)),
    ]
    title = f" GPU {place.budget.index}"
    if place.reading.mig_parent_index is not None:
        title = f" MIG instance {place.budget.index} of GPU {place.reading.mig_parent_index}"
    lines = [line(Span(title, "strong"))]
    for label, text in facts:
        for number, part in enumerate(filled(text, 64)):
            lines.append(line(Span(f"   {'' if number else label:11}", "dim"), part))
    driver = f" Driver {survey.driver_version or 'unknown'}"
    cuda = f", CUDA {survey.cuda_version}" if survey.cuda_version else ""
    return [*lines, EMPTY, line(Span(driver + cuda, "dim"))]


def simulated_lines(place: Place) -> list[Line]:
    """What is planned with where the card is not here."""
    budget = place.budget
    assert budget.free_bytes is not None
    facts = [
        ("memory", f"{gib(budget.free_bytes)} GiB that a process can take"),
        ("speed", _speed_text(place)),
        ("ends in", "a plan file, to be launched where such a card is"),
    ]
    lines = [line(Span(f" {budget.name}, simulated", "strong"))]
    return lines + [line(Span(f"   {label:11}", "dim"), text) for label, text in facts]


def _cpu_lines(place: Place) -> list[Line]:
    budget = place.budget
    assert budget.total_bytes is not None
    assert budget.free_bytes is not None
    facts = [
        ("memory", f"{gib(budget.total_bytes)} GiB, of which {gib(budget.free_bytes)} available"),
        ("can do", "full, lora and qlora in fp32, much slower than a card"),
        ("good for", "models up to about 0.5 B parameters, and trying out a plan"),
    ]
    lines = [line(Span(" CPU", "strong"))]
    return lines + [line(Span(f"   {label:11}", "dim"), text) for label, text in facts]


def _memory_text(place: Place) -> str:
    assert place.reading is not None
    reading = place.reading
    if reading.total_bytes is None:
        return "the driver tells no numbers; s simulates a size to plan with"
    parts = []
    if reading.driver_reserved_bytes:
        parts.append(f"{gib(reading.driver_reserved_bytes)} GiB kept by the driver")
    if reading.used_bytes is not None:
        parts.append(f"{gib(reading.used_bytes)} GiB in use")
    of_which = f", of which {', '.join(parts)}" if parts else ""
    return f"{count_text(reading.total_bytes // MIB)} MiB{of_which}"


def _users_text(place: Place) -> str:
    assert place.reading is not None
    processes = sorted(place.reading.processes, key=lambda each: -(each.used_bytes or 0))
    if not processes:
        return "nobody that the driver lists"
    told = ", ".join(process_text(each) for each in processes[:3])
    rest = len(processes) - 3
    told += f" and {rest} more" if rest > 0 else ""
    return f"{told} (this card drives a display)" if _drives_display(processes) else told


def process_text(process: GpuProcess) -> str:
    """Such as "firefox 0.2 GiB"."""
    name = program_name(process)
    return name if process.used_bytes is None else f"{name} {gib(process.used_bytes)} GiB"


def program_name(process: GpuProcess) -> str:
    """The program's own name, without its folder and its options."""
    if not process.name:
        return f"pid {process.pid}"
    return process.name.split(" ")[0].rstrip("/").rpartition("/")[2] or process.name


_DISPLAY_PROGRAMS = ("xorg", "xwayland", "gnome-shell", "kwin", "weston", "sway", "hyprland")


def _drives_display(processes: Sequence[GpuProcess]) -> bool:
    names = (program_name(each).lower() for each in processes)
    return any(name.startswith(_DISPLAY_PROGRAMS) for name in names)


def _abilities_text(place: Place) -> str:
    capability = place.budget.compute_capability
    if capability is None:
        return "unknown: the driver does not tell its compute capability"
    able = []
    able.append("bf16" if capability >= (8, 0) else "fp16 (no bf16)")
    if capability >= (8, 9):
        able.append("fp8")
    able.append("4-bit NF4")
    if capability >= (8, 0):
        able.append("FlashAttention 2")
    return ", ".join(able)


def _speed_text(place: Place) -> str:
    card = _card(place)
    if card is None:
        return "unknown: hwdb has no such card"
    return speed_text(card)


def speed_text(card: Card) -> str:
    """Memory rate, tensor rate and power of a card; unknown parts are left out."""
    parts = []
    if card.bandwidth_bytes_per_second is not None:
        parts.append(f"{count_text(round(card.bandwidth_bytes_per_second / 1e9))} GB/s memory")
    if card.bf16_tflops is not None:
        parts.append(f"{card.bf16_tflops:.0f} TFLOPS bf16")
    if card.tdp_watts is not None:
        parts.append(f"{card.tdp_watts:.0f} W")
    return ", ".join(parts) or "unknown"


def _known_text(place: Place) -> str:
    card_id = place.budget.card_id
    if card_id is None:
        return "not in hwdb; planned by what the driver tells"
    return f"{card_id} in hwdb, exact name match"


def _card(place: Place) -> Card | None:
    return None if place.budget.card_id is None else hwdb.find_card(place.budget.card_id)


def no_gpu_lines(survey: GpuSurvey) -> list[Line]:
    """What is said where no GPU can be read."""
    problem = survey.problem or "the driver shows no GPU"
    reason = {
        "NVML library not found": "NVML, the library of the NVIDIA driver, was not found "
        "(libnvidia-ml.so.1).",
    }.get(problem, f"{problem[0].upper()}{problem[1:]}.")
    return [
        line(Span(" No NVIDIA GPU can be read on this machine", "strong")),
        EMPTY,
        *(line(f"   {each}") for each in filled(reason, 74)),
        EMPTY,
        line(" If the machine has a card"),
        line(Span("   in a container    ", "dim"), "start it with  --gpus all"),
        line(
            Span("   on Linux          ", "dim"),
            "nvidia-smi should work first; install the driver if not",
        ),
        line(
            Span("   in WSL            ", "dim"),
            "update the Windows driver; none is needed inside WSL",
        ),
        EMPTY,
        line(" You can still plan"),
    ]


def side_lines(place: Place | None, width: int) -> Iterator[Line]:
    """The explaining panel."""
    if place is not None and place.reading is not None:
        yield from _memory_picture(place, width)
        yield EMPTY
    yield line(Span("What the free number means", "strong"))
    yield EMPTY
    yield from _paragraph(_free_sentence(place), width)
    yield EMPTY
    yield line(Span("Simulate a card (s)", "strong"))
    yield EMPTY
    yield from _paragraph(
        "Plan for hardware you do not have: any card in hwdb, or a size in GiB. A SIMULATED badge "
        "stays in the header and Start is replaced by Save plan.",
        width,
    )
    if place is not None and place.state in ("in use", "full"):
        yield EMPTY
        yield line(Span(f"Why GPU {place.budget.index} is '{place.state}'", "strong"))
        yield EMPTY
        yield from _paragraph(_holder_sentence(place), width)


def _memory_picture(place: Place, width: int) -> Iterator[Line]:
    reading = place.reading
    assert reading is not None
    yield line(Span(f"GPU {place.budget.index} right now", "strong"))
    yield EMPTY
    if reading.total_bytes is None or reading.free_bytes is None:
        yield line(" the driver tells no numbers")
        return
    reserved = reading.driver_reserved_bytes or 0
    others = max(0, reading.total_bytes - reading.free_bytes - reserved)
    yield line(f" {gib(reading.total_bytes)} GiB total")
    for name, count in (("driver", reserved), ("others", others), ("free", reading.free_bytes)):
        cells = width - 15
        full = min(cells, max(1 if count else 0, round(cells * count / reading.total_bytes)))
        role: Role = "fits" if name == "free" else "tight"
        yield line(" ", Span("█" * full + "░" * (cells - full), role), f" {gib(count):>4} {name}")


def _free_sentence(place: Place | None) -> str:
    if place is not None and place.state == "simulated":
        return "What an idle card of this kind leaves to one process is what tlplan plans with."
    if place is None or place.reading is None:
        return "What is available is what tlplan plans with: the memory nobody uses now."
    said = "Free is what tlplan plans with."
    users = [each for each in place.reading.processes if each.used_bytes]
    movable = [each for each in users if not _drives_display([each])]
    if movable:
        largest = max(movable, key=lambda each: each.used_bytes or 0)
        assert largest.used_bytes is not None
        said += (
            f" Close {program_name(largest)} to gain {gib(largest.used_bytes)} GiB; "
            "the numbers follow by themselves."
        )
    return said


def _holder_sentence(place: Place) -> str:
    assert place.reading is not None
    users = [each for each in place.reading.processes if each.used_bytes]
    if not users:
        return (
            "The driver lists no process for it. In a container or in WSL the programs that hold "
            "it are outside: look at nvidia-smi on the host, or in the Windows Task Manager."
        )
    largest = max(users, key=lambda each: each.used_bytes or 0)
    name = f" ({program_name(largest)})" if largest.name else ""
    return (
        f"{gib(largest.used_bytes or 0)} GiB are held by pid {largest.pid}{name}. "
        "tlplan never ends other people's processes."
    )


def _paragraph(text: str, width: int) -> Iterator[Line]:
    return (line(f" {each}") for each in filled(text, max(10, width - 1)))
