"""What a rehearsal means for the plan: memory and time as seen, and the verdict said again."""

from __future__ import annotations

from dataclasses import replace

from launcher.runs.events import Event, read_events
from launcher.runs.folder import RunFolder
from planner.run_plan import RunPlan
from planner.units import gib_text

_ABOVE = 1.05
_BELOW = 0.97
"""A rehearsal has seen the longest rows; fragmentation may add a little, shorter rows take less."""
_PAUSES_SPREAD = 1.3
"""One evaluation and one save tell the others within about that factor."""
_TIGHT = 0.97
"""Share of the free memory above which little may come in between."""


def was_cut_short(folder: RunFolder) -> bool:
    """Whether a run was interrupted in its rehearsal, which is then still to be done."""
    types = set()
    for event in read_events(folder.events):
        types.add(event["phase"] if event["type"] == "phase" else event["type"])
    return "rehearsing" in types and not types & {"rehearsal", "step"}


def with_what_was_seen(plan: RunPlan, seen: Event, peak_bytes: int | None) -> RunPlan:
    """The plan with memory and time as measured in place of what was computed."""
    before = plan.expected
    steps, pauses = seen["planned_steps"], seen["pauses_seconds"]
    if before.run_seconds is not None and before.step_seconds is not None:
        # The comparison at the end was not rehearsed.
        pauses = max(pauses, before.run_seconds - before.step_seconds * steps)
    usual, low, high = (float(seen[f"usual_step_seconds{end}"]) for end in ("", "_low", "_high"))
    plan = replace(
        plan,
        expected=replace(
            plan.expected,
            step_seconds=usual,
            step_seconds_low=low,
            step_seconds_high=high,
            run_seconds=round(usual * steps + pauses, 1),
            run_seconds_low=round(low * steps + pauses / _PAUSES_SPREAD, 1),
            run_seconds_high=round(high * steps + pauses * _PAUSES_SPREAD, 1),
            checkpoint_bytes=seen["checkpoint_bytes"],
            # What was computed stays beside what was seen: the next plan learns from both.
            uncorrected_step_seconds=before.uncorrected_step_seconds or before.step_seconds,
            uncorrected_peak_bytes=None,
            uncorrected_allocated_bytes=None,
        ),
    )
    if peak_bytes is None:
        return plan
    allocated_bytes = seen.get("allocated_bytes") or plan.hardware.predicted_allocated_bytes
    return replace(
        plan,
        hardware=replace(
            plan.hardware,
            predicted_allocated_bytes=allocated_bytes,
            predicted_peak_bytes=peak_bytes,
            predicted_low_bytes=int(_BELOW * peak_bytes),
            predicted_high_bytes=int(_ABOVE * peak_bytes),
        ),
    )


def verdict(before: RunPlan, seen: Event, peak_bytes: int | None) -> str:
    """The sentence about memory and time."""
    parts = []
    if peak_bytes is not None:
        planned_bytes = before.hardware.predicted_peak_bytes
        available_bytes = before.hardware.available_bytes
        words = "fits"
        if available_bytes is not None and peak_bytes > _TIGHT * available_bytes:
            words = "fits, tightly"
        of_free = "" if available_bytes is None else f" of {gib_text(available_bytes)} free"
        parts.append(
            f"it {words}: peak {gib_text(peak_bytes)} GiB{of_free}, "
            f"{gib_text(planned_bytes)} were predicted"
        )
    seconds = training_seconds(seen)
    parts.append(f"about {_rough(seconds)} for {seen['planned_steps']} steps")
    return "rehearsed: " + "; ".join(parts)


def training_seconds(seen: Event) -> float:
    """Seconds of all steps."""
    return float(seen["usual_step_seconds"] * seen["planned_steps"])


def _rough(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{max(1, round(seconds))} s"
