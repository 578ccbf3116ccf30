"""provenance.json: what a result was made from, so that it can be made again or doubted."""

from __future__ import annotations

import json
import time
from typing import Any

from launcher.errors import DataError, UsageError
from launcher.runs.atomic_file import replace_json
from launcher.runs.data_hash import data_sha256, file_sha256
from launcher.runs.events import iso_time
from launcher.runs.folder import RunFolder
from launcher.runs.versions import Versions, changes_text, installed_versions
from planner.run_plan import RunPlan


def record_provenance(folder: RunFolder, plan: RunPlan) -> str | None:
    """Write provenance.json once; later, say which versions have changed since, None if none.

    Versions that a run goes on with are added to it, so each change is said once. Raises
    DataError when the data is no longer what the run began with and UsageError when its plan
    is not: going on would give a result that is of neither. Raises OSError when it cannot be
    written.
    """
    now = provenance(folder, plan)
    then = _read(folder)
    if not then:
        replace_json(folder.provenance, now)
        return None
    unlike = {
        key for key, was in then.get("data", {}).items() if was not in (None, now["data"].get(key))
    }
    if unlike:
        file = plan.data.held_out if unlike == {"held_out_sha256"} else plan.data.train
        raise DataError(
            f"{file} is not what this run began with",
            "put the file back as it was, then resume",
            f"a new run learns from it as it is now: tlplan launch {folder.plan} --out DIR",
        )
    refuse_changed_plan(folder)
    told = changes_text(_versions_last(then), now["versions"], plan)
    if told is None:
        return None
    added = {"since": iso_time(time.time()), "versions": now["versions"]}
    replace_json(folder.provenance, then | {"went_on_with": [*then.get("went_on_with", []), added]})
    return f"going on with other versions than before: {told}"


def refuse_changed_plan(folder: RunFolder) -> None:
    """Raise UsageError when plan.yaml is no longer what the run began with."""
    then = _read(folder)
    if then and then.get("plan_sha256") != file_sha256(folder.plan):
        raise UsageError(
            f"{folder.plan} was changed after this run began, and the folder belongs to that plan",
            "put it back as it was, then resume",
            f"a new run carries out the changed one: tlplan launch {folder.plan} --out DIR",
        )


def record_commit(folder: RunFolder, commit: str) -> None:
    """Keep the commit of a Hub model: the run never goes on from another one.

    Raises OSError when it cannot be written.
    """
    known = _read(folder)
    if known and known["model"].get("commit") is None:
        known["model"]["commit"] = commit
        replace_json(folder.provenance, known)


def commit_of(folder: RunFolder) -> str | None:
    """The commit of a run's Hub model, None before it was fetched and for a folder."""
    commit: str | None = _read(folder).get("model", {}).get("commit")
    return commit


def versions_before(folder: RunFolder) -> Versions:
    """The versions a run was carried out with last; empty when it never was."""
    return _versions_last(_read(folder))


def _read(folder: RunFolder) -> dict[str, Any]:
    """What was recorded; empty where nothing was, or nothing that can be read."""
    try:
        recorded = json.loads(folder.provenance.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return recorded if isinstance(recorded, dict) else {}


def _versions_last(provenance: dict[str, Any]) -> Versions:
    last: dict[str, Any] = next(iter(reversed(provenance.get("went_on_with", []))), provenance)
    versions: Versions = last.get("versions", {})
    return versions


def provenance(folder: RunFolder, plan: RunPlan) -> dict[str, Any]:
    """Model, data, versions, seed and plan of a run, as they are now."""
    return {
        "schema_version": 1,
        "model": {
            "name": plan.model.name,
            "folder": plan.model.folder,
            "hub_id": plan.model.hub_id,
            "revision": plan.model.revision,
            "commit": None,
        },
        "data": {
            "path": plan.data.train,
            "sha256": data_sha256(plan.data.train),
            "held_out_sha256": plan.data.held_out and data_sha256(plan.data.held_out),
        },
        "versions": installed_versions(),
        "seed": plan.training.seed,
        "plan_sha256": file_sha256(folder.plan),
    }
