"""How far estimates are from measured runs, by source, tier and counter.

    python -m bench.accuracy CASES.jsonl [--trace] [--worst 5] [--markdown]

CASES.jsonl has {"id", "case", "measured": {"allocated_gib", "reserved_gib", "device_gib"}} a line;
the source is what the id begins with. Every counter is held against its own prediction. "after"
is the error once the other runs of the same card, versions and method have corrected the estimate
as `planner.memory.correction` does it on a user's machine: each run is judged by the others alone.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from typing import Any

from hwdb import NotFound, find_card
from hwdb.card import Card
from launcher.errors import TlplanError
from launcher.models import resolve_model, shape_of_config
from launcher.tracing.client import Tracer
from launcher.tracing.estimating import traced_estimate
from planner.case import request_of_case
from planner.case_answer import on_card, within_card
from planner.memory.correction import Measured, learned_shift
from planner.memory.estimate import MemoryEstimate, estimate_memory
from planner.memory.interval import Band
from planner.request import RequestError
from planner.units import GIB

_COUNTERS = ("allocated", "reserved", "device")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One counter of one measured run beside its estimate."""

    run: str
    tier: str
    counter: str
    kind: tuple[str, ...]
    """Card, versions and method: runs of one kind correct each other."""
    band: Band
    measured_bytes: int

    @property
    def source(self) -> str:
        """What the run's id begins with."""
        return self.run.partition("-")[0]

    @property
    def error(self) -> float:
        """Share of the measured bytes; above 0 is too much."""
        return self.band.expected_bytes / self.measured_bytes - 1

    @property
    def inside(self) -> bool:
        """Whether the 90 % interval holds the measured bytes."""
        return self.band.low_bytes <= self.measured_bytes <= self.band.high_bytes

    def error_after(self, others: Sequence[Row]) -> float:
        """The error once other runs of its kind have corrected the estimate."""
        runs = [
            Measured(
                estimated_bytes=other.band.expected_bytes,
                measured_bytes=other.measured_bytes,
                estimated_allocated_bytes=other.band.expected_bytes,
                measured_allocated_bytes=None,
            )
            for other in others
        ]
        return (self.band.expected_bytes + learned_shift(runs)) / self.measured_bytes - 1


def main() -> None:
    """Estimate, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", type=Path)
    parser.add_argument("--trace", action="store_true", help="by traced steps where possible")
    parser.add_argument("--worst", type=int, default=5)
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    lines = [json.loads(line) for line in options.cases.read_text().splitlines() if line.strip()]
    with Tracer() as tracer:
        rows = [row for line in lines for row in _rows(line, tracer if options.trace else None)]
    print(f"{len(lines)} runs, {datetime.now(UTC).date().isoformat()}\n")
    for text in _table(rows, markdown=options.markdown):
        print(text)
    print()
    for row in sorted(rows, key=lambda row: -abs(row.error))[: options.worst]:
        print(f"  {row.error:+7.1%}  {row.run:10} {row.tier} {row.counter}")


def _rows(line: Mapping[str, Any], tracer: Tracer | None) -> Iterator[Row]:
    case = line["case"]
    try:
        estimate = _estimate(case, tracer)
    except (RequestError, TlplanError) as problem:
        print(f"{line['id']}: {problem}")
        return
    versions = json.dumps(case.get("versions") or {}, sort_keys=True)
    for counter in _COUNTERS:
        measured_gib = line["measured"].get(f"{counter}_gib")
        if measured_gib is None:
            continue
        yield Row(
            run=line["id"],
            tier=estimate.basis.tier,
            counter=counter,
            kind=(str(case.get("gpu")), versions, case["method"]),
            band=getattr(estimate, counter),
            measured_bytes=round(measured_gib * GIB),
        )


def _estimate(case: Mapping[str, Any], tracer: Tracer | None) -> MemoryEstimate:
    request = request_of_case(case)
    if "config" in case:
        config = case["config"]
        shape = shape_of_config(json.dumps(config), "config")
    else:
        model = resolve_model(case["model"])
        config, shape = model.config, model.shape
    card = _card(case.get("gpu"))
    request = on_card(request, card)
    if tracer is not None:
        try:
            traced = traced_estimate(tracer, config, request, gpu=case.get("gpu"))
            return within_card(traced, request, card)
        except TlplanError as problem:
            print(f"estimated by formula: {problem}")
    return within_card(estimate_memory(shape, request), request, card)


def _card(name: str | None) -> Card | None:
    """The card of a case; None for one that nobody knows, as `tlplan estimate` takes it."""
    try:
        return None if name is None else find_card(name)
    except NotFound:
        return None


_HEAD = ("source", "tier", "counter", "runs", "mean", "p95", "worst", "bias", "inside", "after")


def _table(rows: Sequence[Row], *, markdown: bool) -> Iterator[str]:
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.source, row.tier, row.counter].append(row)
    cells: list[tuple[str, ...]] = [_HEAD]
    for (source, tier, counter), members in sorted(groups.items()):
        cells.append((source, tier, counter, str(len(members)), *_figures(members)))
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEAD))]
    for number, line in enumerate(cells):
        padded = [
            cell.ljust(width) if column < 3 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield f"| {' | '.join(padded)} |" if markdown else "  ".join(padded)
        if markdown and number == 0:
            marks = ["-" * width for width in widths[:3]]
            marks += ["-" * (width - 1) + ":" for width in widths[3:]]
            yield f"| {' | '.join(marks)} |"


def _figures(rows: Sequence[Row]) -> Iterator[str]:
    errors = [abs(row.error) for row in rows]
    yield _percent(mean(errors))
    yield _percent(sorted(errors)[min(len(errors) - 1, int(0.95 * len(errors)))])
    yield _percent(max(errors))
    yield f"{mean(row.error for row in rows):+.1%}"
    yield f"{mean(row.inside for row in rows):.0%}"
    after = []
    for row in rows:
        others = [other for other in rows if other is not row and other.kind == row.kind]
        after.append(abs(row.error_after(others)))
    yield _percent(mean(after))


def _percent(share: float) -> str:
    return f"{share:.2%}" if share < 0.01 else f"{share:.1%}"


if __name__ == "__main__":
    main()
