"""Models that were used here before, and those whose weights are on this disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from launcher.errors import TlplanError
from launcher.runs.folder import RUNS_ROOT, all_runs
from launcher.runs.stored_plan import read_plan

_MOST_RUNS = 20


def models_used_before(root: Path = RUNS_ROOT) -> tuple[str, ...]:
    """Names of the models of the newest runs below `root`, the newest first, each once."""
    return tuple(dict.fromkeys(_names(root)))


def _names(root: Path) -> Iterator[str]:
    for run in all_runs(root)[:_MOST_RUNS]:
        try:
            _, run_plan = read_plan(str(run.plan))
        except (TlplanError, OSError):
            continue  # somebody's half-written run is no reason to stop planning
        yield run_plan.model.folder or run_plan.model.hub_id or run_plan.model.name


def is_downloaded(hub_id: str) -> bool:
    """Whether the Hub cache of this machine holds a snapshot of the repository."""
    home = os.environ.get("HF_HOME") or Path("~/.cache/huggingface").expanduser()
    hub = Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub")
    snapshots = hub / f"models--{hub_id.replace('/', '--')}" / "snapshots"
    try:
        return any(any(each.glob("*.safetensors")) for each in snapshots.iterdir())
    except OSError:
        return False
