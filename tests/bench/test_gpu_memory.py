"""The bench of real fine-tunes, without a card: its matrix, and tiny runs on the CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.gpu.memory import MATRIX, _known_config
from hwdb import find_card
from planner.case import request_of_case
from planner.case_answer import on_card
from planner.memory.estimate import estimate_memory
from planner.units import GIB
from tests.planner.samples import shape_of_config

_MATRIX = json.loads(MATRIX.read_text())
_H100 = MATRIX.parents[1] / "results" / "h100.jsonl"


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


def test_the_highest_moment_is_told_by_size_and_place() -> None:
    """Two blocks at once are the peak; one that was there before counts below zero when freed."""
    pytest.importorskip("torch")
    from bench.gpu.at_peak import at_peak

    frames = [
        {"filename": "/x/torch/nn/linear.py", "line": 3, "name": "forward"},
        {"filename": "/x/transformers/mlp.py", "line": 9, "name": "forward"},
    ]
    events = [
        {"action": "alloc", "addr": 1, "size": 10, "frames": frames},
        {"action": "free_completed", "addr": 77, "size": 4},
        {"action": "alloc", "addr": 2, "size": 10, "frames": frames},
        {"action": "free_completed", "addr": 1, "size": 10},
    ]

    told = at_peak(events)

    assert told["bytes"] == 16
    assert told["blocks"] == [["10 < mlp.py:9:forward", 20]]
    assert told["freed_before"] == -4


def test_measured_runs_are_kept_as_the_scoreboard_reads_them() -> None:
    """By formula every one is within 1.5 %, and the mean within 0.1 %."""
    rows = [json.loads(line) for line in _H100.read_text().splitlines()]
    errors = []
    for row in rows:
        request = on_card(request_of_case(row["case"]), find_card(row["case"]["gpu"]))
        estimate = estimate_memory(shape_of_config(row["case"]["config"]), request)
        errors.append(
            estimate.allocated.expected_bytes / GIB / row["measured"]["allocated_gib"] - 1
        )

    assert len(rows) >= 46
    assert max(map(abs, errors)) < 0.015
    assert sum(map(abs, errors)) / len(errors) < 0.001
