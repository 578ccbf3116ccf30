"""Why a plan is what it is: the front, the price of every choice, and why each other lost."""

from __future__ import annotations

from typing import Any

from launcher.output.columns import aligned
from planner.search.answers import Priced, Rejected, front, rejected, toggles
from planner.search.explore import SETTINGS, Configuration, Explored
from planner.units import GIB, gib_text


def explain_text(explored: Explored, chosen: Configuration) -> str:
    """Everything in 80 columns."""
    count = f"{len(explored.configurations):,}".replace(",", " ")
    head = f"Chosen out of {count} configurations, the fastest that fits and that a launch runs"
    parts = [
        f"{head}\n  {_sentence(chosen)}\n",
        f"Time against memory: nothing is faster and lighter\n\n{_front(explored, chosen)}",
        f"What each change would cost, all else as chosen\n\n{_toggles(toggles(explored, chosen))}",
        f"Why the others lost\n\n{_rejected(rejected(explored, chosen))}",
    ]
    return "\n".join(parts)


def explain_document(explored: Explored, chosen: Configuration) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "schema_version": 1,
        "configurations": len(explored.configurations),
        "chosen": _document(chosen, explored.needed(chosen).expected_bytes),
        "front": [_document(one, needed) for one, needed in front(explored)],
        "toggles": [one._asdict() for one in toggles(explored, chosen)],
        "rejected": [one._asdict() for one in rejected(explored, chosen)],
    }


def _document(one: Configuration, needed_bytes: int) -> dict[str, Any]:
    return {
        **dict(zip(SETTINGS, one.words, strict=True)),
        "accumulation": one.accumulation,
        "seconds_per_row": float(f"{one.seconds_per_row:.4g}"),
        "needed_bytes": needed_bytes,
        "runnable": one.runnable,
    }


def _sentence(one: Configuration) -> str:
    words = dict(zip(SETTINGS, one.words, strict=True))
    return (
        f"{words['method']}, {words['weights']}, checkpoints {words['checkpointing']}, "
        f"loss {words['loss']}, {words['attention']}, {words['optimizer']}, "
        f"{words['micro_batch']} x {one.accumulation} rows"
    )


def _front(explored: Explored, chosen: Configuration) -> str:
    rows = [("Time", "GiB", "Method", "Weights", "Checkpoints", "Loss", "Rows", "Needs")]
    for one, needed in front(explored):
        words = dict(zip(SETTINGS, one.words, strict=True))
        rows.append(
            (
                _percent(one.seconds_per_row / chosen.seconds_per_row - 1),
                gib_text(needed),
                words["method"],
                words["weights"],
                words["checkpointing"],
                words["loss"],
                words["micro_batch"],
                _extras(words),
            )
        )
    return aligned(rows, right=(0, 1, 6))


def _extras(words: dict[str, str]) -> str:
    """What a plain launch lacks for it."""
    found = []
    if words["attention"] == "flash2":
        found.append("flash2")
    if words["packing"] == "yes":
        found.append("packing")
    if words["compile"] == "yes":
        found.append("compile")
    return ", ".join(found) or "-"


def _toggles(priced: list[Priced]) -> str:
    rows = [("Change", "to", "Time", "Memory", "Fits", "A launch runs it")]
    rows += [
        (
            one.setting.replace("_", " "),
            one.value,
            _percent(one.time_fraction),
            f"{one.memory_bytes / GIB:+.1f} GiB",
            "yes" if one.fits else "no",
            "yes" if one.runnable else "no",
        )
        for one in priced
    ]
    return aligned(rows, right=(2, 3))


def _rejected(found: list[Rejected]) -> str:
    return aligned(
        [("Setting", "value", "")]
        + [(one.setting.replace("_", " "), one.value, one.reason) for one in found]
    )


def _percent(fraction: float) -> str:
    return f"{100 * fraction:+.0f} %"
