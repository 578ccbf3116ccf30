"""The formula against the traced step of the real classes, family by family.

The traces are kept in bench/results; `python -m bench.formula_against_trace` makes them again, and
a sample of them is made again here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.formula_grid import CLASSIFIERS, FAMILIES, VARIANTS, grid_cases
from planner.case import request_of_case
from planner.memory.classifying import for_task
from planner.memory.step import step_of
from tests.planner.samples import shape_of_config

_STORED = Path(__file__).parents[3] / "bench/results/formula_against_trace.json"
_ROWS: list[dict[str, Any]] = json.loads(_STORED.read_text())["rows"]

_SAMPLE = (
    ("llama", "qlora-kbit"),
    ("gemma2", "lora-torch"),
    ("gpt_neox", "full-last-3"),
    ("qwen3_moe", "lora-bf16"),
    ("falcon", "qlora"),
    ("gpt_oss", "lora-no-autocast"),
    ("llama", "dora-qlora"),
)
"""Traced again: families and options whose traces would change first."""


def _formula_bytes(case: dict[str, Any]) -> int:
    step = step_of(*for_task(shape_of_config(case["config"]), request_of_case(case)))
    states = step.states
    rest = states.weights_bytes + states.adapters_bytes + states.optimizer_bytes
    return rest + step.peak.total_bytes


def test_the_formula_follows_the_trace_on_the_whole_grid() -> None:
    """Over all families and variants the mean is at most 0.3 % away, the worst at most 2 %."""
    errors = {
        (row["family"], row["variant"]): abs(_formula_bytes(row["case"]) / row["traced_bytes"] - 1)
        for row in _ROWS
    }

    assert len(errors) >= 300
    assert sum(errors.values()) / len(errors) <= 0.003
    worst = max(errors, key=lambda name: errors[name])
    assert errors[worst] <= 0.02, worst


def test_the_stored_traces_are_of_the_whole_grid() -> None:
    """A family, a variant or a default that changed needs its trace again."""
    stored = {(row["family"], row["variant"]): row["case"] for row in _ROWS}
    families = [*FAMILIES, *CLASSIFIERS]
    grid = {(family, name): case for family, name, case in grid_cases(families, VARIANTS)}

    assert stored == grid


@pytest.mark.parametrize(("family", "variant"), _SAMPLE)
def test_a_stored_trace_is_that_of_the_installed_classes(family: str, variant: str) -> None:
    """Tracing a case again gives what is stored."""
    pytest.importorskip("trl")
    from launcher.tracing.trace import trace_request

    (row,) = (row for row in _ROWS if (row["family"], row["variant"]) == (family, variant))

    traced = trace_request(row["case"]["config"], request_of_case(row["case"]))

    assert traced.peak_bytes == pytest.approx(row["traced_bytes"], rel=1e-4)
