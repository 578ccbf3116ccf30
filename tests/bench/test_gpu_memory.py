"""The bench of real fine-tunes, without a card: its matrix, and tiny runs on the CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.gpu.memory import MATRIX, _known_config
from planner.case import request_of_case
from planner.memory.estimate import estimate_memory
from tests.planner.samples import shape_of_config

_MATRIX = json.loads(MATRIX.read_text())


def test_the_matrix_is_large_and_names_no_run_twice() -> None:
    """At least 40 runs, all methods, a mixture of experts among them."""
    names = [run["name"] for run in _MATRIX["runs"]]

    assert len(names) == len(set(names)) >= 40
    assert {run["case"]["method"] for run in _MATRIX["runs"]} == {"full", "lora", "qlora"}
    assert any(run["model"] == "moe" for run in _MATRIX["runs"][:10])


@pytest.mark.parametrize("run", _MATRIX["runs"], ids=lambda run: run["name"])
def test_every_run_can_be_estimated_and_fits_a_large_card(run: dict) -> None:
    """A run that would run out of 80 GB tells nothing."""
    config = _MATRIX["models"].get(run["model"]) or _known_config(run["model"])
    estimate = estimate_memory(shape_of_config(config), request_of_case(run["case"]))

    assert estimate.needed.high_bytes < 79 * 1024**3


@pytest.mark.training
def test_tiny_runs_are_measured_once_and_kept(tmp_path: Path) -> None:
    """A second call measures nothing again; the lines are what `bench.accuracy` reads."""
    pytest.importorskip("trl")
    out = tmp_path / "runs.jsonl"
    words = ("--device", "cpu", "--tiny", "--only", "1b-lora", "--out", str(out))
    said = [
        subprocess.run(
            [sys.executable, "-m", "bench.gpu.memory", *words],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    (line,) = map(json.loads, out.read_text().splitlines())

    assert "measured already" in said[1]
    assert line["measured"]["device_gib"] > 0
    assert line["measured"]["step_seconds"] > 0
    assert {"torch", "transformers"} <= set(line["versions"])
