"""Measured runs of others as what the step-time model takes."""

from __future__ import annotations

import csv
from pathlib import Path

from bench.step_time_reading import CARDS, MeasuredStep
from bench.step_time_shapes import shape_named
from bench.step_time_sources import READERS


def measured_steps(path: Path) -> list[MeasuredStep]:
    """Every row with a time, of a model and card that are known."""
    steps = []
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            reader = READERS.get(row["id"].split("-")[0])
            usable = row["has_time"] == "yes" and row["method"] in ("full", "lora", "qlora")
            if reader is None or not usable or row["gpu"] not in CARDS:
                continue
            shape = shape_named(row["model"].split("/")[-1])
            if shape is not None:
                steps += list(reader(row, shape))
    return steps
