"""Pictures that stand inside a row, as image data sets of the Hub have them, put into files.

The rest of the program knows a picture by its path. A picture's file is named by its content, so
reading the same data again writes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launcher.cache import cache_folder
from launcher.data.dataset import Row
from launcher.data.digest import key_of_bytes
from launcher.data.images import suffix_of
from launcher.errors import NoDisk

FIELD = "picture"
"""Of a row that was checked: the bytes of its picture, where they stand in the row."""


def embedded_bytes(value: Any) -> bytes | None:
    """The bytes of a picture that stands in a field, None when it names a file instead."""
    if isinstance(value, Mapping):
        value = value.get("bytes")
    return value if isinstance(value, bytes) else None


def with_file(row: Row, folder: Path | None = None) -> Row:
    """The row with a path in place of its bytes; rows without bytes as they are.

    The file is made in `folder`, else in the cache. Raises NoDisk when it cannot be written.
    """
    if FIELD not in row:
        return row
    data: bytes = row[FIELD]
    kept = {name: value for name, value in row.items() if name != FIELD}
    return {**kept, "image": str(_file_of(data, folder or cache_folder() / "pictures"))}


def _file_of(data: bytes, folder: Path) -> Path:
    path = folder / f"{key_of_bytes(data):016x}{suffix_of(data)}"
    if path.is_file() and path.stat().st_size == len(data):
        return path
    made = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        made.write_bytes(data)
        made.replace(path)
    except OSError as error:
        made.unlink(missing_ok=True)
        raise NoDisk(
            f"{path}: a picture of the data cannot be written there: {error.strerror}",
            "free some space, or set XDG_CACHE_HOME to a folder of a larger disk",
        ) from error
    return path
