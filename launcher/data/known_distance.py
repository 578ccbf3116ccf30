"""Distances that `tlplan data --distance` measured, kept so that plans and the wizard know them.

One small file for each data and model, named by what was measured, so that rows or weights that
changed since are not known.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from launcher.cache import cache_folder
from launcher.data.sources import source_of
from launcher.errors import TlplanError


def keep_distance(data: Path, model_folder: Path, nats: float) -> None:
    """Remember what was measured; a cache that cannot be written forgets it."""
    file = _file_of(data, model_folder)
    if file is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"distance_nats": nats}), encoding="utf-8")
    except OSError:
        return


def known_distance(data: Path, model_folder: Path) -> float | None:
    """Nats a token, None when these rows were not measured with this model."""
    file = _file_of(data, model_folder)
    if file is None:
        return None
    try:
        return float(json.loads(file.read_text(encoding="utf-8"))["distance_nats"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _file_of(data: Path, model_folder: Path) -> Path | None:
    try:
        paths = [*source_of(data).files, *sorted(model_folder.glob("*.safetensors"))]
        stats = [(str(path.resolve()), path.stat()) for path in paths]
    except (OSError, TlplanError):
        return None
    told = json.dumps([(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats])
    name = hashlib.sha256(told.encode()).hexdigest()[:32]
    return cache_folder() / "distances" / f"{name}.json"
