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
