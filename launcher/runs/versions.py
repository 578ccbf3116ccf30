"""Versions that a run began with beside those that are here now: another library, other numbers."""

from __future__ import annotations

import platform
from collections.abc import Mapping

from launcher.errors import MissingHere
from launcher.library_versions import PACKAGES, QUANTIZING, versions_of
from launcher.version import VERSION
from planner.run_plan import RunPlan

Versions = Mapping[str, str | None]


def installed_versions() -> dict[str, str | None]:
    """Versions of Python and of what trains, None for what is not installed; imports nothing."""
    own = {"python": platform.python_version(), "tlplan": VERSION}
    return {**own, **versions_of(PACKAGES)}


def needs_quantizing(plan: RunPlan) -> bool:
    """Whether a plan computes with bitsandbytes at all."""
    optimizer = plan.training.optimizer
    return plan.method.name == "qlora" or "8bit" in optimizer or "paged" in optimizer


def changes(then: Versions, now: Versions, plan: RunPlan) -> dict[str, tuple[str | None, ...]]:
    """What is another version now, as (then, now), of all that can change the numbers of a run.

    Python itself is left out, and so is bitsandbytes where the plan does not use it.
    """
    unused = () if needs_quantizing(plan) else (QUANTIZING,)
    judged = [name for name in ("tlplan", *PACKAGES) if name in then and name not in unused]
    return {name: (then[name], now[name]) for name in judged if then[name] != now[name]}


def changes_text(then: Versions, now: Versions, plan: RunPlan) -> str | None:
    """Such as "torch 2.12.0 -> 2.13.0, peft 0.20.0 -> 0.21.2"; None when all is as it was."""
    changed = changes(then, now, plan)
    words = [f"{name} {_shown(was)} -> {_shown(here)}" for name, (was, here) in changed.items()]
    return ", ".join(words) or None


def refuse_changes(then: Versions, now: Versions, plan: RunPlan, *, name: str) -> None:
    """Raise MissingHere when a run cannot go on as it began, with the line that mends it."""
    told = changes_text(then, now, plan)
    if told is None:
        return
    began = [(each, was) for each, (was, _) in changes(then, now, plan).items() if was is not None]
    asked = " ".join(f"'{each}=={was}'" for each, was in began)
    raise MissingHere(
        f"{name} began with other versions: {told}; what it has computed and what it would "
        "compute now need not agree",
        *([f"pip install {asked} brings back what it began with"] if began else []),
        f"to go on with what is here, as provenance.json will say: tlplan resume {name} --force",
    )


def _shown(found: str | None) -> str:
    return found or "none"
