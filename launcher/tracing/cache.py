"""Traces that were made before, one small file each.

A trace depends on the case, the libraries and the tracing code alone, so a hash of these names
it. A file that cannot be read is no cached trace, and the cache never makes a trace fail.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from launcher.library_versions import traced_versions
from launcher.runs.atomic_file import replace_json
from launcher.tracing.result import TraceResult
from planner.request import Batching


def cache_folder() -> Path:
    """Where traces are kept: $XDG_CACHE_HOME/tlplan/traces, or below ~/.cache."""
    home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(home) / "tlplan" / "traces"


def find_trace(case: Mapping[str, Any], batching: Batching, folder: Path) -> TraceResult | None:
    """The trace of the same case by the same libraries and code; None when there is none."""
    try:
        text = _path(case, batching, folder).read_text(encoding="utf-8")
        return TraceResult.from_json(json.loads(text))
    except (OSError, ValueError, TypeError):
        return None


def keep_trace(
    case: Mapping[str, Any], batching: Batching, result: TraceResult, folder: Path
) -> None:
    """Keep a trace for next time, if the folder takes it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_json(_path(case, batching, folder), result.as_json(), durable=False)
    except OSError:
        return


def _path(case: Mapping[str, Any], batching: Batching, folder: Path) -> Path:
    asked = {name: value for name, value in case.items() if name != "id"}
    named = json.dumps([asked, batching, traced_versions(), _code_hash()], sort_keys=True)
    return folder / f"{hashlib.sha256(named.encode()).hexdigest()[:32]}.json"


@cache
def _code_hash() -> str:
    """A hash of the tracing code and what it takes from the planner."""
    import planner

    planning = Path(str(planner.__file__)).parent
    used = (planning.glob("*.py"), (planning / "memory").glob("*.py"))
    hashed = hashlib.sha256()
    for path in sorted(chain(Path(__file__).parent.glob("*.py"), *used)):
        hashed.update(path.read_bytes())
    return hashed.hexdigest()
