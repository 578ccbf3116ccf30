"""Disk space: how much is left, and a little kept back for a run's last words."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from launcher.errors import NoDisk, TlplanError
from launcher.exit_codes import ExitCode
from launcher.runs.folder import RunFolder
from launcher.view.words import file_size

RESERVE_BYTES = 1 << 20
"""Enough for the last state, the last events and measured.json."""


def free_bytes(path: Path) -> int:
    """Bytes that a process of this user can still write below `path`."""
    usage = os.statvfs(path)
    return usage.f_bavail * usage.f_frsize


def require_free(folder: Path, needed_bytes: int, what: str) -> None:
    """Raise NoDisk when `needed_bytes` for `what` are not free where `folder` is."""
    free = free_bytes(folder)
    if free < needed_bytes:
        raise NoDisk(
            f"the disk of {folder} is nearly full: {what} needs {file_size(needed_bytes)}, "
            f"{file_size(needed_bytes - free)} more than are free",
            _how_to_go_on(folder),
        )


def full_disk_of(run: Path, failure: TlplanError) -> TlplanError:
    """The same failure, naming the disk of the run where it is that one which is full."""
    if failure.code != ExitCode.NO_DISK or str(run) in failure.message:
        return failure
    if free_bytes(run) >= RESERVE_BYTES:
        return failure
    return NoDisk(f"the disk of {run} is full", _how_to_go_on(run))


def _how_to_go_on(run: Path) -> str:
    return f"free some space; tlplan resume {RunFolder(run).typed} goes on from the last checkpoint"


def is_full(error: OSError) -> bool:
    """Whether an error means that the disk or the quota is used up."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


class DiskReserve:
    """A file of RESERVE_BYTES that is given up when nothing else can be written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def hold(self) -> None:
        """Take the space; on a disk that is full already there is none to take."""
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError:
            return
        try:
            with suppress(OSError):
                os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
        finally:
            os.close(descriptor)

    def spend(self) -> None:
        """Give the space back to the disk."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
