"""The one place where bytes become GiB and back."""

from __future__ import annotations

KIB = 1024
MIB = 1024**2
GIB = 1024**3


def to_gib(count_bytes: float) -> float:
    """Bytes as GiB (2**30), unrounded."""
    return count_bytes / GIB


def gib_text(count_bytes: float) -> str:
    """Bytes as a number of GiB with one decimal, without the unit."""
    return f"{count_bytes / GIB:.1f}"


def difference_text(larger_bytes: int, smaller_bytes: int) -> str:
    """The difference in GiB as it reads beside both numbers: of what `gib_text` shows of them."""
    return f"{float(gib_text(larger_bytes)) - float(gib_text(smaller_bytes)):.1f}"


def size_text(count_bytes: float) -> str:
    """Bytes on disk as file managers show them: "168 MB", "16.1 GB"."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count_bytes >= size:
            value = count_bytes / size
            return (
                f"{value:.1f} {unit}" if value < 99.95 and unit != "kB" else f"{value:.0f} {unit}"
            )
    return f"{count_bytes:.0f} B"


def duration_text(seconds: float) -> str:
    """Seconds as a person says them: "45 s", "12 min", "3.9 h", "5.2 days"."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 99.5 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 99.5 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"
