"""How far measured runs are from their estimates, and the intervals that follow from it.

    python -m bench.residuals CASES.jsonl

A line of CASES.jsonl is {"id", "case", "measured": {"allocated_gib": …}}. Runs are grouped by what
`planner.memory.interval` tells apart: the counter, the library, whether lengths vary. For each
group: truth over expected at the 5th and 95th percentile, and the share of runs inside today's
interval. Then every source is left out once: the interval of the others' percentiles, and how
many of the left-out runs lie in it.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import hwdb
from launcher.models import shape_of_config
from planner.case import request_of_case
from planner.case_answer import answer_case
from planner.units import GIB

_COUNTERS = {
    "allocated_gib": "allocated_bytes",
    "reserved_gib": "reserved_bytes",
    "device_gib": "device_bytes",
}


class Residual(NamedTuple):
    """One measured counter of one run."""

    run: str
    source: str
    group: str
    ratio: float
    """Truth over expected."""
    inside: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", type=Path)
    rows = [json.loads(line) for line in parser.parse_args().cases.open(encoding="utf-8")]
    groups: dict[str, list[Residual]] = defaultdict(list)
    for row in rows:
        for residual in _residuals(row):
            groups[residual.group].append(residual)
    print(f"{'group':42s} {'runs':>4s} {'median':>7s} {'5 %':>7s} {'95 %':>7s} {'inside':>6s}")
    for group, members in sorted(groups.items()):
        _print_group(group, members)
        sources = {residual.source for residual in members}
        for source in sorted(sources):
            left_out = [residual for residual in members if residual.source == source]
            others = [residual for residual in members if residual.source != source]
            label = f"  {source}"
            if len(sources) > 1:
                low, high = _interval(others)
                share = statistics.mean(low <= residual.ratio <= high for residual in left_out)
                label += f" by the others: {share:.0%} in {low:.3f}..{high:.3f}"
            _print_group(label, left_out)


def _residuals(row: dict[str, Any]) -> list[Residual]:
    case = row["case"]
    shape = shape_of_config(json.dumps(case["config"], sort_keys=True), "config")
    answer = answer_case(case, lambda _case: shape, _card)
    request = request_of_case(case)
    vary = request.lengths_vary or request.lengths is not None
    found = []
    for counter, key in _COUNTERS.items():
        if counter in row["measured"]:
            band = answer["memory"][key]
            truth = row["measured"][counter] * GIB
            kept = "allocated" if counter == "allocated_gib" else f"kept, {request.allocator}"
            lengths = ", unequal lengths" if vary and counter != "allocated_gib" else ""
            found.append(
                Residual(
                    run=row["id"],
                    source=row["id"].split("-")[0],
                    group=f"{request.stack}, {kept}{lengths}",
                    ratio=truth / band["expected"],
                    inside=band["low"] <= truth <= band["high"],
                )
            )
    return found


def _card(gpu: str) -> hwdb.Card | None:
    try:
        return hwdb.find_card(gpu)
    except hwdb.NotFound:
        return None


def _interval(members: list[Residual]) -> tuple[float, float]:
    ratios = sorted(residual.ratio for residual in members)
    last = len(ratios) - 1
    return ratios[round(0.05 * last)], ratios[round(0.95 * last)]


def _print_group(label: str, members: list[Residual]) -> None:
    low, high = _interval(members)
    middle = statistics.median(residual.ratio for residual in members)
    inside = statistics.mean(residual.inside for residual in members)
    print(f"{label:42s} {len(members):4d} {middle:7.3f} {low:7.3f} {high:7.3f} {inside:6.0%}")


if __name__ == "__main__":
    main()
