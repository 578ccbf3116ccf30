"""provenance.json: what a result was made from, so that it can be made again or doubted."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from launcher.errors import DataError, UsageError
from launcher.runs.atomic_file import replace_json
from launcher.runs.folder import RunFolder
from launcher.version import VERSION
from planner.run_plan import RunPlan

PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "trl",
    "bitsandbytes",
    "accelerate",
    "datasets",
)


def record_provenance(folder: RunFolder, plan: RunPlan) -> str | None:
    """Write provenance.json once; later, say which versions have changed since, None if none.

    Raises DataError when the data is no longer what the run began with and UsageError when its
    plan is not: going on would give a result that is of neither. Raises OSError when it cannot
    be written.
    """
    now = provenance(folder, plan)
    try:
        then = json.loads(folder.provenance.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        replace_json(folder.provenance, now)
        return None
    if then.get("data") != now["data"]:
        raise DataError(
            f"{plan.data.train} is not what this run began with",
            "put the file back as it was, then resume",
            f"a new run learns from it as it is now: tlplan launch {folder.plan} --out DIR",
        )
    if then.get("plan_sha256") != now["plan_sha256"]:
        raise UsageError(
            f"{folder.plan} was changed after this run began, and the folder belongs to that plan",
            "put it back as it was, then resume",
            f"a new run carries out the changed one: tlplan launch {folder.plan} --out DIR",
        )
    if then.get("versions") == now["versions"]:
        return None
    return f"versions changed since this run began, see {folder.provenance}"


def provenance(folder: RunFolder, plan: RunPlan) -> dict[str, Any]:
    """Model, data, versions, seed and plan of a run, as they are now."""
    return {
        "schema_version": 1,
        "model": {
            "name": plan.model.name,
            "folder": plan.model.folder,
            "hub_id": plan.model.hub_id,
            "revision": plan.model.revision,
        },
        "data": {"path": plan.data.train, "sha256": file_sha256(Path(plan.data.train))},
        "versions": installed_versions(),
        "seed": plan.training.seed,
        "plan_sha256": file_sha256(folder.plan),
    }


def installed_versions() -> dict[str, str | None]:
    """Versions of Python and of what trains, None for what is not installed; imports nothing."""
    versions: dict[str, str | None] = {"python": platform.python_version(), "tlplan": VERSION}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return versions


def file_sha256(path: Path) -> str | None:
    """Hash of a file's content, None when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
