"""Traces that a bench compares with, kept in the user's cache folder.

A hash of the case, the libraries' versions and the tracing code names each, so that none of an
older tracer is taken for one of today's.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from launcher.library_versions import traced_versions
from launcher.tracing.cache import cache_folder
from planner.request import TrainingRequest
from planner.units import MIB


def kept_trace(case: Mapping[str, Any], request: TrainingRequest, *, fresh: bool) -> dict[str, Any]:
    """The trace, from the cache folder where the same code made it before."""
    named = json.dumps([case, traced_versions(), code_hash()], sort_keys=True)
    name = hashlib.sha256(named.encode()).hexdigest()[:32]
    path = cache_folder().with_name("bench-traces") / f"{name}.json"
    if path.exists() and not fresh:
        kept: dict[str, Any] = json.loads(path.read_text())
        return kept
    # torch: seconds to import, and not needed where every trace is kept.
    from launcher.tracing.trace import trace_request

    full = trace_request(case["config"], request)
    traced = {
        "peak_bytes": full.peak_bytes,
        "rest_bytes": full.rest_bytes,
        "peak_segment": full.peak_segment,
        "segments": dict(full.segments),
        "phases": {**full.phases(), **_outside(full)},
        "alive": list(_alive(full)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(traced))
    return traced


@cache
def code_hash() -> str:
    """A hash of the tracing code and what tells it what to trace."""
    import launcher.tracing
    from planner import request
    from planner.memory import numerics

    hashed = hashlib.sha256()
    told = [Path(str(module.__file__)) for module in (request, numerics)]
    for path in (*sorted(Path(launcher.tracing.__file__).parent.glob("*.py")), *told):
        hashed.update(path.read_bytes())
    return hashed.hexdigest()


def _outside(full: Any) -> dict[str, int]:
    return {phase: sum(parts.values()) for phase, parts in full.outside().items()}


def _alive(full: Any) -> Iterator[str]:
    """The tensors at the peak by what made them, of the middle blocks only one."""
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    recording = full.recordings[-1]
    for origin, size in recording.alive_at_peak(full.peak_segment, ends=full.ends):
        part = origin.segment.partition("/")[2]
        block = part.partition(":")[2]
        if not part or part.startswith("optimizer"):
            groups["weights, adapters and optimizer state",].append(size)
        elif not block.isdecimal() or int(block) in (1, recording.layers - 1):
            maker = origin.maker.removeprefix("aten::")
            shape = "x".join(map(str, origin.shape))
            groups[part, maker, shape, origin.dtype].append(size)
    for key, sizes in sorted(groups.items(), key=lambda item: (item[0][0], -sum(item[1]))):
        if sum(sizes) >= MIB // 4:
            yield f"{sum(sizes) / MIB:9.2f} x{len(sizes):<3} {' '.join(key)}"
