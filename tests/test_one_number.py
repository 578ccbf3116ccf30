"""One estimator: every surface names the same bytes for the same job."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from launcher.models import resolve_model
from launcher.planning import data_facts
from planner.plan_file import read_plan_file
from tests.fake_nvml import machines
from tests.models import smollm2

__all__ = ["smollm2"]

_ROW = {"prompt": "Where is the router?", "completion": "Under the desk. " * 150}
"""Longer than the rows asked for, so each is cut to exactly that length."""

_JOBS = {
    "lora": ("--method", "lora", "--rank", "8"),
    "qlora": ("--method", "qlora", "--targets", "q_proj,v_proj"),
    "full": ("--method", "full", "--optimizer", "adamw-8bit"),
}
_CASES: dict[str, dict[str, Any]] = {
    "lora": {"method": "lora", "adapter": {"rank": 8}},
    "qlora": {"method": "qlora", "adapter": {"targets": ["q_proj", "v_proj"]}},
    "full": {"method": "full", "optimizer": "adamw-8bit"},
}
_SHARED = ("--seq", "512", "--accumulate", "4")


def _run(environment: Mapping[str, str], *words: str, stdin: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-m", "launcher", *words],
        env=dict(environment),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("job", list(_JOBS))
def test_check_plan_estimate_and_launch_name_the_same_bytes(
    job: str, tmp_path: Path, smollm2: Path, fake_driver: Callable[[str], Mapping[str, str]]
) -> None:
    """Expected, low and high of the peak are equal to the byte on all four."""
    here = {**fake_driver(machines.RTX_4090_DESKTOP), "PYTHONPATH": str(Path(__file__).parents[1])}
    data = tmp_path / "train.jsonl"
    data.write_text("".join(json.dumps(_ROW) + "\n" for _ in range(20)))
    options = ("--model", str(smollm2), *_SHARED, *_JOBS[job])
    with_data = (*options, "--data", str(data), "--out", str(tmp_path / "run"))

    check = json.loads(_run(here, *options, "--json"))["methods"][0]
    plan = json.loads(_run(here, "plan", *with_data, "--json"))["plan"]["hardware"]
    dry = json.loads(_run(here, "launch", *with_data, "--dry-run", "--json"))["plan"]
    launch = read_plan_file(dry, "plan.yaml").hardware
    case = {
        "model": str(smollm2),
        "micro_batch": 1,
        "accumulation": 4,
        "sequence_tokens": 512,
        **_CASES[job],
    }
    estimate = json.loads(_run(here, "estimate", "-", stdin=json.dumps(case)))["memory"]

    device = estimate["device_bytes"]
    told = (device["expected"], device["low"], device["high"])
    assert told == (check["expected_peak_bytes"], check["low_bytes"], check["high_bytes"])
    planned = ("predicted_peak_bytes", "predicted_low_bytes", "predicted_high_bytes")
    assert told == tuple(plan[key] for key in planned)
    assert told == tuple(getattr(launch, key) for key in planned)
    assert estimate["allocated_bytes"]["expected"] == launch.predicted_allocated_bytes


def test_rows_of_unequal_lengths_are_the_same_job_everywhere(
    tmp_path: Path, smollm2: Path, fake_driver: Callable[[str], Mapping[str, str]]
) -> None:
    """What `tlplan estimate` says of a list of lengths the plan says of the file they stand in."""
    here = {**fake_driver(machines.RTX_4090_DESKTOP), "PYTHONPATH": str(Path(__file__).parents[1])}
    data = tmp_path / "train.jsonl"
    rows = [{**_ROW, "completion": "Under the desk. " * (1 + 5 * number)} for number in range(20)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ("--model", str(smollm2), "--method", "lora", "--batch", "4", "--data", str(data))
    plan = json.loads(_run(here, "plan", *options, "--json"))["plan"]
    model = resolve_model(str(smollm2))
    case = {
        "model": str(smollm2),
        "method": "lora",
        "micro_batch": 4,
        "accumulation": plan["training"]["accumulation_steps"],
        "sequence_tokens": plan["training"]["sequence_tokens"],
        "lengths": data_facts(str(data), model).lengths,
    }
    estimate = json.loads(_run(here, "estimate", "-", stdin=json.dumps(case)))["memory"]

    device = estimate["device_bytes"]
    planned = ("predicted_peak_bytes", "predicted_low_bytes", "predicted_high_bytes")
    assert [device[end] for end in ("expected", "low", "high")] == [
        plan["hardware"][key] for key in planned
    ]


def test_rows_of_one_length_take_the_same_time_everywhere(
    tmp_path: Path, smollm2: Path, fake_driver: Callable[[str], Mapping[str, str]]
) -> None:
    """No batch of them needs a mask: a plan's step takes what `tlplan estimate` says."""
    here = {**fake_driver(machines.RTX_4090_DESKTOP), "PYTHONPATH": str(Path(__file__).parents[1])}
    data = tmp_path / "train.jsonl"
    data.write_text("".join(json.dumps(_ROW) + "\n" for _ in range(20)))
    options = ("--model", str(smollm2), *_SHARED, *_JOBS["lora"], "--batch", "4")
    plan = json.loads(_run(here, "plan", *options, "--data", str(data), "--json"))["plan"]
    training = plan["training"]
    case = {
        **_CASES["lora"],
        "model": str(smollm2),
        "gpu": "rtx-4090",
        "micro_batch": 4,
        "accumulation": 4,
        "sequence_tokens": 512,
        **{name: training[name] for name in ("optimizer", "checkpointing", "loss", "attention")},
    }
    time = json.loads(_run(here, "estimate", "-", stdin=json.dumps(case)))["time"]["step_seconds"]

    planned = [plan["expected"][f"step_seconds{end}"] for end in ("", "_low", "_high")]
    assert planned == [time[end] for end in ("expected", "low", "high")]
