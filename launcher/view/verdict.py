"""Sentences that judge: measured against predicted, and how much room is left."""

from __future__ import annotations

from launcher.runs.measured import error_fraction
from launcher.view.cards import MemoryKinds
from launcher.view.run_facts import PlannedRun
from launcher.view.spans import Line, Role, Span, line
from launcher.view.words import band_verdict, gib_as, percent

NOT_YET = "first step not finished; the peak is usually there"
SCARCE_FRACTION = 0.05
"""Less room than this share of what the run could have is said to be tight."""


def peak_sentence(plan: PlannedRun, *, peak_bytes: int | None, steps: int) -> Line:
    """Where the peak lies against the prediction and its band."""
    if peak_bytes is None or steps == 0:
        return line(NOT_YET)
    like = plan.predicted_peak_bytes
    verdict = band_verdict(
        peak_bytes=peak_bytes,
        low_bytes=plan.predicted_low_bytes,
        high_bytes=plan.predicted_high_bytes,
    )
    if verdict == "inside the band":
        low, high = plan.predicted_low_bytes, plan.predicted_high_bytes
        verdict = f"inside {gib_as(low, like)}-{gib_as(high, like)}"
    fraction = error_fraction(peak_bytes, plan.predicted_peak_bytes)
    difference = "" if fraction is None else f"{percent(fraction)}, "
    role: Role = "over" if peak_bytes > plan.predicted_high_bytes else "strong"
    return line(
        Span(f"peak {gib_as(peak_bytes, like)}", role),
        f" of {gib_as(like, like)} predicted ({difference}",
        Span(verdict, role),
        ")",
    )


def room_sentence(kinds: MemoryKinds, like: int | None) -> Line:
    """How much more the run could take, with the decimals of `like`."""
    if kinds.room_bytes is None:
        return ()
    text = f"room left {gib_as(kinds.room_bytes, like)}"
    fraction = kinds.room_fraction
    if fraction is not None and fraction < SCARCE_FRACTION:
        return line(Span(f"{text}: tight", "tight"))
    return line(text)
