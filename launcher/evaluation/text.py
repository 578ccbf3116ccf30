"""The evidence of a run as a table for people, in 80 columns."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from launcher.evaluation.comparison import CLASSIFIER_NAMES
from launcher.evaluation.outcomes import REPORT_NAME

_COLUMNS = 80
_SHOWN = ("exact match", "ROUGE-L", "accuracy", "macro-F1", "ended", "loss")
_HEADS = {"exact match": "exact", "macro-F1": "macro-F1", "ended": "ends itself"}
_NAME_WIDTH = 24


def read_report(run: Path) -> dict[str, Any] | None:
    """evaluation.json of a run folder, None where there is none or it is broken."""
    try:
        found = json.loads((run / REPORT_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def evidence_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """The table, the verdict, and what was forgotten."""
    conditions = report.get("conditions", {})
    if conditions:
        yield from _table(conditions, report["rows"])
        yield from textwrap.wrap(report["verdict"], _COLUMNS - 2, initial_indent="  ",
                                 subsequent_indent="  ")  # fmt: skip
    forgetting = report.get("forgetting")
    if forgetting:
        yield from textwrap.wrap(forgetting["verdict"], _COLUMNS - 2, initial_indent="  ",
                                 subsequent_indent="  ")  # fmt: skip


def _table(conditions: Mapping[str, Any], rows: int) -> Iterator[str]:
    metrics = [name for name in _SHOWN if all(name in each for each in conditions.values())]
    # Three metrics with intervals are what 80 columns hold.
    metrics = metrics[:3]
    head = "".join(f"{_HEADS.get(name, name):>18}" for name in metrics)
    title = "1 held-out row" if rows == 1 else f"{rows} held-out rows"
    yield f"{title:<{_NAME_WIDTH}}{head}"
    for condition, scores in conditions.items():
        cells = "".join(f"{_cell(scores[name], name):>18}" for name in metrics)
        yield f"  {_short(condition, scores['name']):<{_NAME_WIDTH - 2}}{cells}"


def _short(condition: str, name: str) -> str:
    if name == CLASSIFIER_NAMES["base"]:
        return "largest class"
    return {"base": "base", "few-shot": "base, with examples"}.get(condition, "tuned")


def _cell(score: Mapping[str, float], metric: str) -> str:
    if metric == "loss":
        return f"{score['value']:.2f} ({score['low']:.2f}-{score['high']:.2f})"
    values = [round(100 * score[name]) for name in ("value", "low", "high")]
    return f"{values[0]} % ({values[1]}-{values[2]})"
