"""provenance.json: what a result was made from, so that it can be made again or doubted."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

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
    """Write provenance.json once; at a resume, say what has changed since, None if nothing.

    Raises OSError when it cannot be written.
    """
    now = provenance(folder, plan)
    try:
        then = json.loads(folder.provenance.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        replace_json(folder.provenance, now)
        return None
    changed = [name for name in ("data", "versions") if then.get(name) != now[name]]
    if not changed:
        return None
    return f"{' and '.join(changed)} changed since this run began, see {folder.provenance}"


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
