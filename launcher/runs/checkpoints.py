"""Checkpoints that are whole or not there: written beside, hashed, fsynced, renamed.

    RUN/checkpoints/.writing-PID/...    being written; worthless after a crash
    RUN/checkpoints/step-N/             whole; MANIFEST.json holds size and SHA-256 of every file
    RUN/checkpoints/broken-step-N/      found broken at a resume; removed after the next save
    RUN/checkpoints/full-step-N/        of the full fine-tune that ended as QLoRA; kept

A trainer resumes without a word from a checkpoint that lost its optimizer or its random
state, so nothing is resumed from before `verify` finds every file of the manifest intact.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from launcher.runs.atomic_file import remove_temporary_files
from launcher.runs.folder import RunFolder

MANIFEST_NAME = "MANIFEST.json"
SCHEMA_VERSION = 1
FEWEST_KEPT = 2
"""The newest checkpoint may turn out broken; the one before it must still be there."""

_STEP_PREFIX = "step-"
_WRITING_PREFIX = ".writing-"
_BROKEN_PREFIX = "broken-"
_FULL_PREFIX = "full-"
_OF_ADAPTERS = "adapter_config.json"
_OF_FULL = "config.json"


def checkpoints_folder(run: Path) -> Path:
    """Where the checkpoints of a run stand."""
    return run / "checkpoints"


def writing_folder(run: Path) -> Path:
    """Where this process writes before it publishes."""
    return checkpoints_folder(run) / f"{_WRITING_PREFIX}{os.getpid()}"


def step_of(checkpoint: Path) -> int:
    """The optimizer step a checkpoint was taken after, from its folder's name."""
    return int(checkpoint.name.removeprefix(_STEP_PREFIX))


def checkpoint_of(run: Path, step: int) -> Path:
    """Where the checkpoint of a step is, or would be."""
    return checkpoints_folder(run) / f"{_STEP_PREFIX}{step}"


def list_checkpoints(run: Path) -> list[Path]:
    """The published checkpoints of a run, newest first, verified or not."""
    folder = checkpoints_folder(run)
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if _is_step_folder(path)]
    return sorted(found, key=step_of, reverse=True)


def write_manifest(checkpoint: Path) -> Path:
    """Write MANIFEST.json with size and SHA-256 of every other file, and fsync all of them."""
    files: dict[str, dict[str, Any]] = {}
    for path in _files(checkpoint):
        name = path.relative_to(checkpoint).as_posix()
        files[name] = {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        fsync(path)
    manifest = checkpoint / MANIFEST_NAME
    manifest.write_text(
        json.dumps({"schema_version": SCHEMA_VERSION, "files": files}, indent=1) + "\n"
    )
    fsync(manifest)
    for folder in {path.parent for path in _files(checkpoint)} | {checkpoint}:
        fsync(folder)
    return manifest


def verify(checkpoint: Path) -> list[str]:
    """What is wrong with a checkpoint, one line each; empty when every file is intact."""
    files = _manifest_files(checkpoint)
    if files is None:
        return [f"{checkpoint}: {MANIFEST_NAME} is missing or broken"]
    problems = []
    for name, expected in files.items():
        problem = _file_problem(checkpoint / name, expected)
        if problem is not None:
            problems.append(f"{checkpoint / name}: {problem}")
    return problems


def newest_verified(run: Path) -> tuple[Path | None, dict[Path, str]]:
    """The newest whole checkpoint of a run, and why each newer one was passed over."""
    skipped: dict[Path, str] = {}
    for checkpoint in list_checkpoints(run):
        problems = verify(checkpoint)
        if not problems:
            return checkpoint, skipped
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        skipped[checkpoint] = problems[0] + more
    return None, skipped


def set_aside(checkpoint: Path) -> None:
    """Take a broken checkpoint out of the count, so that a whole one is not removed in its place.

    It is removed with the next `prune`, when there is a newer whole one.
    """
    aside = checkpoint.with_name(f"{_BROKEN_PREFIX}{checkpoint.name}")
    shutil.rmtree(aside, ignore_errors=True)
    checkpoint.rename(aside)


def keep_apart_full(run: Path) -> list[Path]:
    """Give checkpoints of a full fine-tune other names: adapters cannot go on from them.

    They are what is left of its work, so no `prune` removes them.
    """
    kept = []
    for checkpoint in list_checkpoints(run):
        if (checkpoint / _OF_FULL).exists() and not (checkpoint / _OF_ADAPTERS).exists():
            apart = checkpoint.with_name(f"{_FULL_PREFIX}{checkpoint.name}")
            shutil.rmtree(apart, ignore_errors=True)
            kept.append(checkpoint.rename(apart))
    return kept


def publish(written: Path, run: Path, step: int) -> Path:
    """Give a finished folder its manifest and its name; a broken one of that name makes way.

    Raises OSError when the disk is full; `written` is then left as it is.
    """
    write_manifest(written)
    target = checkpoints_folder(run) / f"{_STEP_PREFIX}{step}"
    if target.exists():
        _remove(target)
    written.rename(target)
    fsync(target.parent)
    return target


def prune(run: Path, keep: int, *, best_step: int | None = None) -> list[Path]:
    """Remove all but the newest `keep` checkpoints, never leaving fewer than FEWEST_KEPT.

    The checkpoint of `best_step` stays as well.
    """
    old = list_checkpoints(run)[max(keep, FEWEST_KEPT) :]
    removed = [path for path in old if step_of(path) != best_step]
    for checkpoint in (*removed, *checkpoints_folder(run).glob(f"{_BROKEN_PREFIX}*")):
        _remove(checkpoint)
    return removed


def _remove(checkpoint: Path) -> None:
    """Remove it, whole or not yet: killed on the way, none is left that looks broken."""
    leaving = checkpoint.with_name(f"{_WRITING_PREFIX}{os.getpid()}-{checkpoint.name}")
    with suppress(OSError):  # its remains are removed with the leftovers of the next start
        checkpoint.rename(leaving)
        checkpoint = leaving
    shutil.rmtree(checkpoint, ignore_errors=True)


def remove_leftovers(run: Path) -> None:
    """Remove what processes that are gone were writing; only one worker writes a run."""
    shutil.rmtree(RunFolder(run).rehearsal, ignore_errors=True)
    for path in checkpoints_folder(run).glob(f"{_WRITING_PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)
    remove_temporary_files(run)


def newest_bytes(run: Path) -> int | None:
    """Bytes of the newest checkpoint, None while there is none."""
    newest = next(iter(list_checkpoints(run)), None)
    return None if newest is None else folder_bytes(newest)


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def fsync(path: Path) -> None:
    """See to it that a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_step_folder(path: Path) -> bool:
    number = path.name.removeprefix(_STEP_PREFIX)
    return path.name.startswith(_STEP_PREFIX) and number.isdecimal() and path.is_dir()


def _files(checkpoint: Path) -> Iterator[Path]:
    for path in sorted(checkpoint.rglob("*")):
        if path.is_file() and path != checkpoint / MANIFEST_NAME:
            yield path


def _manifest_files(checkpoint: Path) -> dict[str, dict[str, Any]] | None:
    try:
        manifest = json.loads((checkpoint / MANIFEST_NAME).read_bytes())
        files = manifest["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return files if isinstance(files, dict) and files else None


def _file_problem(path: Path, expected: dict[str, Any]) -> str | None:
    try:
        size_bytes = path.stat().st_size
        if size_bytes != expected["bytes"]:
            return f"has {size_bytes} bytes, {expected['bytes']} were written"
        if _sha256(path) != expected["sha256"]:
            return "its content changed after it was written"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except (KeyError, TypeError, ValueError):  # the last: a name that no file can have
        return "its line in the manifest is broken"
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
