"""How far the step-time model is from measured runs of others, on runs it was not taught with.

    python -m bench.step_time RUNS.csv [--rows] [--write hwdb/data/speed.json]

Each table says what was left out while the constants were learned: nothing, every run of a card,
every run of a source, or every run of one setting. `--write` learns from all runs and writes the
constants. Needs numpy and scipy.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

import hwdb
from bench.step_time_fit import learn, predicted, situation_of
from bench.step_time_reading import MeasuredStep
from bench.step_time_rows import measured_steps
from hwdb.speed import SpeedConstants

RESULTS = Path(__file__).parent / "results" / "step_time.json"


def main() -> None:
    """Print the tables; write results and, when asked, the constants."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path)
    parser.add_argument("--rows", action="store_true", help="every run with its prediction")
    parser.add_argument("--write", type=Path, help="the constants learned from all runs")
    options = parser.parse_args()
    steps = measured_steps(options.runs)
    core = [step for step in steps if step.learn_from]
    start = hwdb.speed_constants()
    everything = learn(core, start)
    tables = {"fitted": _errors(core, everything)}
    tables["card left out"] = _left_out(core, start, lambda step: step.card.id)
    tables["card left out, its factor known"] = _left_out(
        core, start, lambda step: step.card.id, keep_factor=everything
    )
    tables["source left out"] = _left_out(core, start, lambda step: step.source)
    tables["setting left out"] = _left_out(core, start, _fold)
    unlearned = [step for step in steps if not step.learn_from]
    tables["settings not learned from"] = _errors(unlearned, everything)
    for name, errors in tables.items():
        _print_table(name, errors)
    if options.rows:
        for step, error, _ in tables["fitted"]:
            print(f"{step.ident:12} {step.seconds:9.4f} s {error:+7.1%}  {step.setting}")
    document = {name: _summary(errors) for name, errors in tables.items()}
    document |= {
        f"{name}: {group}": _summary(values)
        for name, errors in tables.items()
        for group, values in _grouped(errors).items()
    }
    RESULTS.write_text(json.dumps({"at": _today(), "tables": document}, indent=1) + "\n")
    if options.write:
        _write(options.write, everything, tables)


class Miss(NamedTuple):
    """How far one run is from what was expected of it."""

    step: MeasuredStep
    error: float
    inside: bool
    """Whether the run lies in the interval that a user would have been shown."""


Errors = list[Miss]


def _errors(steps: Sequence[MeasuredStep], constants: SpeedConstants) -> Errors:
    misses = []
    for step in steps:
        expected = predicted(step, constants)
        low, high = constants.intervals[situation_of(step, constants)]
        inside = expected * low <= step.seconds <= expected * high
        misses.append(Miss(step, expected / step.seconds - 1, inside))
    return misses


def _left_out(
    steps: Sequence[MeasuredStep],
    start: SpeedConstants,
    group_of: Callable[[MeasuredStep], object],
    keep_factor: SpeedConstants | None = None,
) -> Errors:
    """Errors of every group under constants learned from the others."""
    found: Errors = []
    for group in sorted({str(group_of(step)) for step in steps}):
        rest = [step for step in steps if str(group_of(step)) != group]
        held = [step for step in steps if str(group_of(step)) == group]
        constants = learn(rest, start)
        if keep_factor is not None:
            factors = {**constants.card_factors}
            for step in held:
                if step.card.id in keep_factor.card_factors:
                    factors[step.card.id] = keep_factor.card_factors[step.card.id]
            constants = constants._replace(card_factors=factors)
        found += _errors(held, constants)
    return found


_FOLDS = 10


def _fold(step: MeasuredStep) -> int:
    """One of ten parts of the settings: a model, method and kernels never stand in two."""
    return sum(map(ord, str(step.setting))) % _FOLDS


def _grouped(errors: Errors) -> dict[str, Errors]:
    groups: dict[str, Errors] = defaultdict(list)
    for miss in errors:
        request = miss.step.request
        where = "1 GPU" if request.gpus == 1 else "many"
        groups[f"source {miss.step.source} {where}"].append(miss)
        groups[f"card {miss.step.card.id}"].append(miss)
        groups[f"method {request.method} {where}"].append(miss)
        groups[where].append(miss)
    return dict(sorted(groups.items()))


def _summary(errors: Errors) -> dict[str, float | int]:
    values = np.array([miss.error for miss in errors])
    sizes = np.abs(values)
    ratios = 1 / (1 + values)
    return {
        "runs": len(values),
        "mean": round(float(sizes.mean()), 4),
        "median": round(float(np.median(sizes)), 4),
        "p90": round(float(np.quantile(sizes, 0.9)), 4),
        "bias": round(float(values.mean()), 4),
        "low": round(float(np.quantile(ratios, 0.05)), 3),
        "high": round(float(np.quantile(ratios, 0.95)), 3),
        "inside": round(sum(miss.inside for miss in errors) / len(errors), 3),
    }


def _print_table(name: str, errors: Errors) -> None:
    print(f"\n{name:44} runs   mean median    p90   bias  90 % lie in   inside")
    for group, values in {"all": errors, **_grouped(errors)}.items():
        line = _summary(values)
        print(
            f"  {group:42} {line['runs']:4} {line['mean']:6.1%} {line['median']:6.1%}"
            f" {line['p90']:6.1%} {line['bias']:+6.1%}  {line['low']:.2f} to {line['high']:.2f}"
            f"  {line['inside']:5.0%}"
        )


def _write(path: Path, constants: SpeedConstants, tables: dict[str, Errors]) -> None:
    document = {
        name: float(f"{value:.4g}") if isinstance(value, float) else value
        for name, value in constants._asdict().items()
    }
    factors = {card: round(factor, 3) for card, factor in constants.card_factors.items()}
    runs = len(tables["fitted"])
    document |= {
        "card_factors": dict(sorted(factors.items())),
        "as_of": _today(),
        "source": f"third-party-runs: {runs} runs on 7 cards, python -m bench.step_time; "
        "kernel_seconds_now: bench/results/h100.jsonl",
    }
    lines = (f" {json.dumps(name)}: {json.dumps(value)}" for name, value in document.items())
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


if __name__ == "__main__":
    main()
