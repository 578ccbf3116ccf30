"""Numbers as a person reads them, rounded so that what is shown together never disagrees."""

from __future__ import annotations

from collections.abc import Mapping

from planner.units import GIB

_PER_GIB = 10
"""One decimal is shown."""


def tenths(count_bytes: int) -> int:
    """Bytes as tenths of a GiB, rounded the way `planner.units.gib_text` shows them."""
    return round(float(f"{count_bytes / GIB:.1f}") * _PER_GIB)


def tenths_text(count: int) -> str:
    """Tenths of a GiB as "23.1"."""
    return f"{count / _PER_GIB:.1f}"


def gib(count_bytes: int) -> str:
    """Bytes as "23.1"."""
    return tenths_text(tenths(count_bytes))


def filled_cells(part_bytes: int, whole_bytes: int, cells: int) -> int:
    """Cells of a bar that a part fills: all of them only for all, none only for nothing."""
    if part_bytes <= 0:
        return 0
    if part_bytes >= whole_bytes:
        return cells
    return max(1, min(cells - 1, round(cells * part_bytes / whole_bytes)))


def shares(parts: Mapping[str, int], total_bytes: int) -> dict[str, int]:
    """Parts in tenths of a GiB that add up to the total as it is shown.

    Each part is rounded down, and the largest remainders are rounded up until the sum is right.
    """
    exact = {name: part / GIB * _PER_GIB for name, part in parts.items()}
    shown = {name: int(value) for name, value in exact.items()}
    missing = tenths(total_bytes) - sum(shown.values())
    by_remainder = sorted(exact, key=lambda name: shown[name] - exact[name])
    for name in by_remainder[: max(0, missing)]:
        shown[name] += 1
    return shown


def count_text(count: int) -> str:
    """128256 as "128 256"."""
    return f"{count:,}".replace(",", " ")


def parameters_text(count: int) -> str:
    """Three digits and a unit: "8.03 B", "135 M"."""
    for unit, size in (("T", 10**12), ("B", 10**9), ("M", 10**6), ("k", 10**3)):
        # 999.9 M reads as 1.00 B.
        if count >= 0.9995 * size:
            value = count / size
            decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:.{decimals}f} {unit}"
    return str(count)
