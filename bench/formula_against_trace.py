"""How far the formula is from the traced step, family by family and method by method.

    python -m bench.formula_against_trace [--families llama,gpt2] [--variants full,qlora]
                                          [--explain 0.5] [--fresh] [--out FILE]

Needs no GPU: the traced step runs on tensors without data. Both sides leave out what the CUDA
runtime takes. Prints mean and worst error in percent; above `--explain` percent it prints what
was alive at the traced peak and what the formula took for the peak. Traces are kept in the user's
cache folder, so that a second run compares in seconds; `--fresh` traces again.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hwdb
from bench.formula_grid import CLASSIFIERS, FAMILIES, VARIANTS, grid_cases
from bench.kept_traces import code_hash, kept_trace
from launcher.library_versions import traced_versions
from planner.case import request_of_case
from planner.memory.classifying import for_task
from planner.memory.step import Step, step_of
from planner.shape import ModelShape, shape_of
from planner.units import MIB

RESULTS = Path(__file__).parent / "results" / "formula_against_trace.json"


def main() -> None:
    """Compare, print, write."""
    options = _options()
    rows = []
    for family, name, case in grid_cases(options.families, options.variants):
        row = {"family": family, "variant": name, "case": case}
        try:
            row |= _compare(case, fresh=options.fresh, explain=options.explain)
        except Exception as problem:  # noqa: BLE001 - one case must not end the comparison
            row["error"] = f"{type(problem).__name__}: {problem}"[:300]
        rows.append(row)
        _print_row(row)
    _print_table(rows)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(_document(rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    every = [*FAMILIES, *CLASSIFIERS]
    parser.add_argument("--families", type=lambda text: text.split(","), default=every)
    parser.add_argument("--variants", type=lambda text: text.split(","), default=list(VARIANTS))
    parser.add_argument("--explain", type=float, default=0.5, metavar="PERCENT")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


def _compare(case: Mapping[str, Any], *, fresh: bool, explain: float) -> dict[str, Any]:
    request = request_of_case(case)
    traced = kept_trace(case, request, fresh=fresh)
    step = step_of(*for_task(_shape(case["config"]), request))
    formula_bytes = _rest_bytes(step) + step.peak.total_bytes
    error_percent = round(100 * (formula_bytes / traced["peak_bytes"] - 1), 4)
    row = {
        "traced_bytes": traced["peak_bytes"],
        "traced_rest_bytes": traced["rest_bytes"],
        "traced_peak": traced["peak_segment"],
        "formula_bytes": formula_bytes,
        "formula_rest_bytes": _rest_bytes(step),
        "formula_peak": f"{step.peak.phase}: {step.peak.where}",
        "error_percent": error_percent,
    }
    if abs(error_percent) > explain:
        row["_explained"] = list(_explanation(traced, step))
    return row


def _shape(config: Mapping[str, Any]) -> ModelShape:
    family = hwdb.find_family(config["model_type"])
    return shape_of(config, family, hwdb.families()["llama"])


def _rest_bytes(step: Step) -> int:
    states = step.states
    return states.weights_bytes + states.adapters_bytes + states.optimizer_bytes


def _explanation(traced: Mapping[str, Any], step: Step) -> Iterator[str]:
    segments = sorted(traced["segments"].items(), key=lambda item: -item[1])
    yield "traced:  " + ", ".join(f"{name} {size / MIB:.1f}" for name, size in segments[:7])
    base, peak = _rest_bytes(step), step.peak
    candidates = sorted(step.candidates, key=lambda each: -each.total_bytes)
    yield "formula: " + ", ".join(
        f"{each.phase}: {each.where} {(base + each.total_bytes) / MIB:.1f}"
        for each in candidates[:5]
    )
    yield (
        f"formula at its peak: gradients {peak.gradients_bytes / MIB:.1f} activations "
        f"{peak.activations_bytes / MIB:.1f} logits {peak.logits_bytes / MIB:.1f} temporaries "
        f"{peak.temporaries_bytes / MIB:.1f}"
    )
    yield "alive at the traced peak, of the middle blocks only one:"
    yield from traced["alive"]


def _print_row(row: Mapping[str, Any]) -> None:
    head = f"{row['family']:12} {row['variant']:34}"
    if "error" in row:
        print(f"{head} {row['error']}", flush=True)
        return
    print(
        f"{head} {row['traced_bytes'] / MIB:9.1f} {row['formula_bytes'] / MIB:9.1f} "
        f"{row['error_percent']:+7.2f} %  rest {row['traced_rest_bytes'] / MIB:8.1f} "
        f"{row['formula_rest_bytes'] / MIB:8.1f}  {row['traced_peak']} | {row['formula_peak']}",
        flush=True,
    )
    for line in row.get("_explained", ()):
        print(f"    {line}", flush=True)


def _print_table(rows: list[dict[str, Any]]) -> None:
    print(f"\n{'family':12} {'method':6} {'cases':>5} {'mean %':>7} {'max %':>7}")
    errors: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        if "error" not in row:
            error = abs(row["error_percent"])
            errors[row["family"], row["case"]["method"]].append(error)
            errors["~ all", ""].append(error)
    for (family, method), values in sorted(errors.items()):
        mean = sum(values) / len(values)
        print(f"{family:12} {method:6} {len(values):5} {mean:7.3f} {max(values):7.3f}")


def _document(rows: list[dict[str, Any]]) -> str:
    """JSON, one row a line."""
    errors = [abs(row["error_percent"]) for row in rows if "error" not in row]
    head = {
        "date": datetime.now(UTC).date().isoformat(),
        "versions": traced_versions(),
        "tracing_code": code_hash(),
        "cases": len(errors),
        "not_traced": len(rows) - len(errors),
        "mean_error_percent": round(sum(errors) / max(len(errors), 1), 4),
        "max_error_percent": max(errors, default=None),
    }
    lines = [
        json.dumps({key: value for key, value in row.items() if not key.startswith("_")})
        for row in rows
    ]
    return json.dumps(head)[:-1] + ', "rows": [\n' + ",\n".join(lines) + "\n]}\n"


if __name__ == "__main__":
    main()
