"""One hash for what a plan names as data or as model: a resume must be able to tell a change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from launcher.errors import TlplanError

_OF_MODELS = (".json", ".safetensors", ".txt", ".model", ".jinja")
_SAMPLES = 256
_SAMPLE_BYTES = 1 << 16


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


def model_sha256(folder: str) -> str | None:
    """Hash of a model's files: names and sizes, small ones whole, weights by samples.

    Training another model on changes all of its weights, so samples tell; to read them whole
    would take as long as loading them. A file that is gone, or cannot be read, changes it too;
    None when there is no such folder.
    """
    if not Path(folder).is_dir():
        return None
    digest = hashlib.sha256()
    for file in sorted(Path(folder).glob("*")):
        if file.suffix in _OF_MODELS and file.is_file():
            digest.update(f"{file.name} {file.stat().st_size} {_sampled_sha256(file)}\n".encode())
    return digest.hexdigest()


def _sampled_sha256(path: Path) -> str | None:
    size = path.stat().st_size
    if size <= _SAMPLES * _SAMPLE_BYTES:
        return file_sha256(path)
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for index in range(_SAMPLES):
                file.seek(index * (size - _SAMPLE_BYTES) // (_SAMPLES - 1))
                digest.update(file.read(_SAMPLE_BYTES))
    except OSError:
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
