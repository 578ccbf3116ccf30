"""provenance.json: what a result was made from, so that it can be made again or doubted."""

from __future__ import annotations

import json
import time
from pathlib import Path
from shlex import quote
from typing import Any

from launcher.errors import DataError, MissingHere, UsageError
from launcher.runs.atomic_file import replace_json
from launcher.runs.data_hash import data_sha256, file_sha256, model_sha256
from launcher.runs.events import iso_time
from launcher.runs.folder import RunFolder
from launcher.runs.versions import Versions, changes_text, installed_versions
from planner.run_plan import RunPlan


def record_provenance(folder: RunFolder, plan: RunPlan) -> str | None:
    """Write provenance.json once; later, say which versions have changed since, None if none.

    Versions that a run goes on with are added to it, so each change is said once. Raises what
    `refuse_changes_since` does, OSError when it cannot be written.
    """
    then = _read(folder)
    if not then:
        replace_json(folder.provenance, provenance(folder, plan))
        return None
    refuse_changes_since(folder, plan)
    versions = installed_versions()
    told = changes_text(_versions_last(then), versions, plan)
    if told is None:
        return None
    added = {"since": iso_time(time.time()), "versions": versions}
    replace_json(folder.provenance, then | {"went_on_with": [*then.get("went_on_with", []), added]})
    return f"going on with other versions than before: {told}"


def refuse_changes_since(folder: RunFolder, plan: RunPlan) -> None:
    """Refuse to go on with what would give a result of neither what was nor what is.

    Raises DataError when the data is no longer what the run began with, UsageError when its plan
    or the folder of its base model is not, MissingHere when that folder is gone.
    """
    then = _read(folder)
    _refuse_changed_plan(folder, then)
    for key, file in (("sha256", plan.data.train), ("held_out_sha256", plan.data.held_out)):
        was = then.get("data", {}).get(key)
        now = None if was is None or file is None else data_sha256(file)
        if now != was:
            _refuse_data(folder, str(file), now)
    was = then.get("model", {}).get("files_sha256")
    if was is None or plan.model.folder is None:
        return
    if not Path(plan.model.folder).is_dir():
        raise MissingHere(
            f"the base model {plan.model.folder} is not there any more",
            "put it back, or a link to where it is now, then resume",
        )
    if model_sha256(plan.model.folder) != was:
        raise UsageError(
            f"the base model {plan.model.folder} is not what this run began with",
            "put its files back as they were, then resume",
            f"a new run trains it as it is now: tlplan launch {quote(str(folder.plan))} --out DIR",
        )


def _refuse_data(folder: RunFolder, file: str, now: str | None) -> None:
    if now is None:
        raise DataError(
            f"{file}, which this run learns from, is not there any more, or cannot be read",
            "put it back, or a link to where it is now, then resume",
        )
    raise DataError(
        f"{file} is not what this run began with",
        "put the file back as it was, then resume",
        f"a new run learns from it as it is now: tlplan launch {quote(str(folder.plan))} --out DIR",
    )


def _refuse_changed_plan(folder: RunFolder, then: dict[str, Any]) -> None:
    if then and then.get("plan_sha256") != file_sha256(folder.plan):
        raise UsageError(
            f"{folder.plan} was changed after this run began, and the folder belongs to that plan",
            "put it back as it was, then resume",
            "a new run carries out the changed one: "
            f"tlplan launch {quote(str(folder.plan))} --out DIR",
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
            "files_sha256": plan.model.folder and model_sha256(plan.model.folder),
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
