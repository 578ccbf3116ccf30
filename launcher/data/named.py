"""What --data names as a path on this disk; a data set of the Hub is fetched there first."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from launcher import stderr
from launcher.cache import cache_folder
from launcher.data.hub_files import HubFile, files_to_take
from launcher.data.hub_name import HubName, hub_name
from launcher.download_meter import SECONDS_BETWEEN, Download, DownloadMeter, telling
from launcher.errors import NoAccess, NoDisk
from launcher.runs.atomic_file import replace_json
from launcher.runs.disk import free_bytes
from launcher.typed_path import typed_path
from launcher.view.words import download_text
from planner.units import size_text

_WHOLE = ".whole.json"
"""Written last: what was fetched, when all of it is there."""
_SECONDS_BETWEEN_NOTES = 30.0


def data_path(name: str, tell: Callable[[Download], None] | None = None) -> Path:
    """The path to read rows from.

    A data set of the Hub at a commit that was fetched before needs no network. How far a download
    is goes to `tell` each second, else now and then to stderr. Raises what `launcher.hub` does
    when it has to be fetched and cannot.
    """
    on_hub = hub_name(name)
    return typed_path(name) if on_hub is None else _fetched(on_hub, tell)[1]


def lasting_name(name: str) -> str:
    """What a plan calls the data: an absolute path, or a data set of the Hub at one commit."""
    on_hub = hub_name(name)
    if on_hub is None:
        return str(typed_path(name).absolute())
    return str(on_hub.at(_fetched(on_hub)[0]))


def _fetched(name: HubName, tell: Callable[[Download], None] | None = None) -> tuple[str, Path]:
    """(commit, folder with its files)."""
    if name.is_pinned and _is_whole(_folder(name)):
        return str(name.revision), _folder(name)
    from launcher.hub import data_files, download_data_file  # huggingface_hub: about 110 ms

    try:
        commit, files = data_files(name.repository, name.revision)
    except NoAccess as failure:
        return _fetched_before(name, failure)
    folder = _folder(name.at(commit))
    if not _is_whole(folder):
        chosen = files_to_take(name, files)
        folder.mkdir(parents=True, exist_ok=True)
        missing_bytes = _missing_bytes(chosen, folder)
        if free_bytes(folder) < missing_bytes:
            raise NoDisk(
                f"{name.repository} takes {size_text(missing_bytes)}, {folder} has "
                f"{size_text(free_bytes(folder))} free",
                "XDG_CACHE_HOME=DIR keeps it on another disk",
            )
        stderr.note(
            f"downloading {name.repository} at {commit[:12]}: "
            f"{len(chosen)} {'file' if len(chosen) == 1 else 'files'}, {size_text(missing_bytes)}"
        )
        meter = DownloadMeter(missing_bytes)
        seconds = _SECONDS_BETWEEN_NOTES if tell is None else SECONDS_BETWEEN
        with telling(meter, tell or _note, seconds=seconds):
            for file in chosen:
                download_data_file(name.repository, commit, file.name, folder, meter)
        replace_json(folder / _WHOLE, {"name": str(name.at(commit)), "files": dict(chosen)})
    replace_json(_newest(name), {"commit": commit})
    return commit, folder


def _note(download: Download) -> None:
    if not download.finished:
        stderr.note(f"downloading {download_text(download)}")


def _fetched_before(name: HubName, failure: NoAccess) -> tuple[str, Path]:
    """The commit that was fetched last under this name; raises `failure` when there is none."""
    try:
        commit = str(json.loads(_newest(name).read_text(encoding="utf-8"))["commit"])
    except (OSError, ValueError, KeyError, TypeError):
        raise failure from None
    folder = _folder(name.at(commit))
    if not _is_whole(folder):
        raise failure
    stderr.note(f"{failure.message}; taking what was fetched before, {commit[:12]}")
    return commit, folder


def _folder(name: HubName) -> Path:
    split = (name.split or "all").replace("/", "--")
    return _place(name) / str(name.revision) / split


def _newest(name: HubName) -> Path:
    branch = (name.revision or "default").replace("/", "--")
    return _place(name) / f"{branch}--{(name.split or 'all').replace('/', '--')}.json"


def _place(name: HubName) -> Path:
    return cache_folder() / "data" / name.repository.replace("/", "--")


def _is_whole(folder: Path) -> bool:
    """Whether every file that was fetched is there in its size."""
    try:
        kept = json.loads((folder / _WHOLE).read_text(encoding="utf-8"))
        return all(
            (folder / file).stat().st_size == size_bytes
            for file, size_bytes in kept["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _missing_bytes(files: list[HubFile], folder: Path) -> int:
    return sum(each.size_bytes for each in files if not (folder / each.name).is_file())
