"""The answer of `tlplan data` as one JSON document, schema 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from launcher.data.checkup import Checkup
from planner.advice.situation import AdviceItem

PLACES_TOLD = 100


def data_document(checkup: Checkup, advice: Sequence[AdviceItem]) -> dict[str, Any]:
    """Counts, every kept problem, findings with their first places, and advice."""
    return {
        "schema_version": 1,
        "path": str(checkup.path),
        "files": [str(file) for file in checkup.files[:PLACES_TOLD]],
        "file_count": len(checkup.files),
        "bytes": checkup.bytes_on_disk,
        "layout": checkup.layout,
        "found_as": checkup.found_as or None,
        "rows": checkup.rows,
        "bad_rows": checkup.bad_rows,
        "verdict": checkup.verdict,
        "lengths": _lengths(checkup),
        "labels": dict(checkup.labels) or None,
        "held_out": {"rows": checkup.held_out_rows, "how": checkup.held_out_how},
        "unused_fields": dict(checkup.unused_fields),
        "problems": [
            {
                "file": str(problem.file),
                "line": problem.line or None,
                "field": problem.field,
                "reason": problem.reason,
                "fix": problem.fix,
                "text": problem.describe(),
            }
            for problem in checkup.problems
        ],
        "findings": [
            {
                "code": finding.code,
                "level": finding.level,
                "rows": finding.rows,
                "text": finding.text,
                "places": list(finding.places[:PLACES_TOLD]),
            }
            for finding in checkup.findings
        ],
        "advice": [item._asdict() for item in advice],
    }


def _lengths(checkup: Checkup) -> dict[str, Any] | None:
    lengths = checkup.lengths
    if lengths is None:
        return None
    return {
        "shortest_tokens": min(lengths.per_row),
        "longest_tokens": lengths.longest,
        "mean_tokens": round(lengths.mean, 1),
        "percentiles": {str(p): lengths.percentile(p) for p in (5, 25, 50, 75, 95, 99)},
        "total_tokens": sum(lengths.per_row),
        "exact": lengths.exact,
        "how": lengths.how,
    }
