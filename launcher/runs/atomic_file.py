"""Replacing a file so that a reader sees the old one or the new one, never half of one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def replace_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Write beside `path` and rename; `durable` also survives a power cut.

    Raises OSError when the disk is full; `path` is then as it was.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def remove_temporary_files(folder: Path) -> None:
    """Remove what processes that are gone left beside the files they were replacing.

    For the supervisor of a run, or its worker: nobody else writes there. That another process has
    the number of the dead one by now, as after a restart of the machine, does not matter.
    """
    alive = (os.getpid(), os.getppid())
    for path in folder.glob(".*.*"):
        owner = path.name.rpartition(".")[2]
        if owner.isdecimal() and int(owner) not in alive:
            path.unlink(missing_ok=True)


def replace_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """Write `value` as indented JSON, as `replace_text` does."""
    replace_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n", durable=durable)
