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


def from_gib(gib: float) -> int:
    """GiB (2**30) as whole bytes."""
    return round(gib * GIB)
