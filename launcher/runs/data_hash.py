"""One hash for whatever a plan names as data, so that a resume can tell whether it is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from launcher.errors import TlplanError


def data_sha256(named: str) -> str | None:
    """Hash of a file's bytes, or of all files behind a folder, a pattern or a Hub's data set.

    Pictures count by their names and sizes. None when it cannot be read.
    """
    from launcher.data.named import data_path
    from launcher.data.sources import source_of

    try:
        source = source_of(data_path(named))
        if source.files == (source.path,):
            return file_sha256(source.path)
        digest = hashlib.sha256()
        for part in (source, source.held_out):
            for file in () if part is None else part.files:
                digest.update(f"{file.name} {file_sha256(file)}\n".encode())
            for line in () if part is None else _pictures(part.classes):
                digest.update(line.encode())
    except (TlplanError, OSError):
        return None
    return digest.hexdigest()


def file_sha256(path: Path) -> str | None:
    """Hash of a file's content, None when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _pictures(classes: dict[str, list[Path]]) -> Iterator[str]:
    for name, pictures in classes.items():
        for picture in pictures:
            yield f"{name} {picture.name} {picture.stat().st_size}\n"
