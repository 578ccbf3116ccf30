"""How the numbers of a run are said: durations, GiB, and the verdict on its memory."""

from __future__ import annotations

from collections.abc import Mapping

from launcher.download_meter import Download
from planner.request import Device
from planner.units import to_gib


def duration(seconds: float) -> str:
    """Minutes and seconds, with hours when there are any: 4:31, 1:02:03."""
    minutes, second = divmod(max(0, round(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def rough_duration(seconds: float) -> str:
    """A time left, no more exact than it is known: 40 s, 12 min, 3.5 h."""
    if seconds < 55:
        return f"{max(5, 5 * round(seconds / 5))} s"
    if seconds < 90 * 60:
        return f"{max(1, round(seconds / 60))} min"
    return f"{seconds / 3600:.1f} h"


def gib(count_bytes: int | None) -> str:
    """GiB without the unit, in three or four digits: 2.31, 19.4, 141; - for unknown."""
    if count_bytes is None:
        return "-"
    return gib_as(count_bytes, count_bytes)


def gib_as(count_bytes: int | None, reference_bytes: int | None) -> str:
    """GiB with as many decimals as the reference has: what stands together reads together."""
    if count_bytes is None:
        return "-"
    size = to_gib(count_bytes if reference_bytes is None else reference_bytes)
    decimals = 2 if size < 9.995 else 1 if size < 99.95 else 0
    return f"{to_gib(count_bytes):.{decimals}f}"


def file_size(count_bytes: float) -> str:
    """A size of files in the unit that reads best: 4.9 MiB, 1.3 GiB."""
    if count_bytes < 1000:
        return f"{count_bytes:.0f} B"
    value = float(count_bytes)
    units = iter(("KiB", "MiB", "GiB", "TiB", "PiB", "EiB"))
    unit = "B"
    while value >= 1000:
        value, unit = value / 1024, next(units)
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"


def download_text(download: Download) -> str:
    """How far it is: "1.2 of 4.9 GiB, 38.0 MiB/s"; what it came to once it is over."""
    said = file_size(download.done_bytes)
    if download.total_bytes is not None and not download.finished:
        number, unit = said.split()
        total = file_size(download.total_bytes)
        said = f"{number if total.endswith(f' {unit}') else said} of {total}"
    if download.stalled:
        return f"{said}, nothing comes"
    speed = download.bytes_per_second
    return said if speed is None else f"{said}, {file_size(speed)}/s"


def loss(value: float | None) -> str:
    """A loss to three decimals; - for unknown, and for what is no number."""
    return f"{value:.3f}" if isinstance(value, (int, float)) else "-"


def percent(fraction: float) -> str:
    """A signed share in whole percent: -3 %, +12 %, 0 %."""
    whole = round(100 * fraction)
    return f"{whole:+d} %" if whole else "0 %"


def thousands(value: float) -> str:
    """A whole number with spaces between thousands: 3 180."""
    return f"{round(value):,}".replace(",", " ")


def one_line(text: str) -> str:
    """Text of a model or a library as one harmless line: no control characters, no line ends."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def memory_of_this_run(device: Device) -> str:
    """Which memory is meant."""
    return "GPU memory of this run" if device == "cuda" else "host memory of this run"


def band_verdict(*, peak_bytes: int, low_bytes: int, high_bytes: int) -> str:
    """Where a measured peak lies against the predicted band."""
    if low_bytes <= peak_bytes <= high_bytes:
        return "inside the band"
    side = "above" if peak_bytes > high_bytes else "below"
    distance = gib_as(max(peak_bytes - high_bytes, low_bytes - peak_bytes), high_bytes)
    nothing = not float(distance)
    return f"just {side} the band" if nothing else f"{side} the band by {distance}"


def percent_right(event: Mapping[str, object] | None, name: str = "accuracy") -> str | None:
    """A share that a classifier got right, such as "58 %"; None where it was not measured."""
    value = (event or {}).get(name)
    usable = isinstance(value, (int, float)) and 0 <= value <= 1
    return f"{100 * value:.0f} %" if usable else None  # type: ignore[operator]
