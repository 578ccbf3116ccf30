"""A finished run teaches the next plan on the same machine, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launcher.learned.keeping import keep_measured
from launcher.learned.stack import stack_text
from launcher.learned.store import Kind, runs_like, store_path
from planner.optional_sections import ExpectedSection
from planner.run_plan import RunPlan
from planner.units import MIB
from tests.fake_nvml import machines
from tests.launcher.cli.program import tlplan
from tests.launcher.run_samples import sample_plan

CARD = "NVIDIA GeForce RTX 4090"
MODEL = ("--model", "llama-3.2-1b", "--method", "lora", "--json")


def _report(peak_bytes: int | None, exit_code: int = 0) -> dict[str, Any]:
    measured = {"peak_bytes": peak_bytes, "allocated_bytes": None}
    return {"exit_code": exit_code, "measured": measured, "hardware": {"cpu": "some CPU"}}


def _plan(tmp_path: Path, **hardware: Any) -> RunPlan:
    plan = sample_plan(tmp_path)
    on_card = replace(plan.hardware, device="cuda", gpu=CARD, **hardware)
    return replace(plan, hardware=on_card)


def _kind(plan: RunPlan) -> Kind:
    return Kind(device="cuda", machine=CARD, stack=stack_text(), method=plan.method.name)


def test_a_run_is_compared_with_what_was_estimated_before_any_correction(tmp_path: Path) -> None:
    """Else every run would be corrected by its own correction."""
    plan = replace(
        _plan(tmp_path, predicted_peak_bytes=1000),
        expected=ExpectedSection(uncorrected_peak_bytes=900, uncorrected_allocated_bytes=800),
    )
    assert keep_measured("/runs/a", "2026", plan, _report(950))
    (run,) = runs_like(_kind(plan), store_path())

    assert (run.estimated_bytes, run.measured_bytes) == (900, 950)


@pytest.mark.parametrize("report", [_report(None), _report(950, exit_code=7)])
def test_a_run_without_a_peak_or_an_end_teaches_nothing(
    tmp_path: Path, report: dict[str, Any]
) -> None:
    """Nothing is kept."""
    assert not keep_measured("/runs/a", "2026", _plan(tmp_path), report)
    assert not store_path().exists()


def test_the_next_check_says_that_runs_here_corrected_it(
    tmp_path: Path, fake_driver: Callable[[str], Mapping[str, str]]
) -> None:
    """On this machine's card; a card that is only named is estimated as ever."""
    here = {**fake_driver(machines.RTX_4090_DESKTOP)}

    def method(*words: str) -> dict[str, Any]:
        answer = tlplan(*MODEL, *words, environment=here)
        found: dict[str, Any] = json.loads(answer.out)["methods"][0]
        return found

    before = method()
    plan = _plan(tmp_path, predicted_peak_bytes=before["expected_peak_bytes"])
    plan = replace(plan, method=replace(plan.method, name="lora"))
    for number in range(3):
        measured = before["expected_peak_bytes"] + 100 * MIB
        assert keep_measured(f"/runs/{number}", f"2026-{number}", plan, _report(measured))
    after, elsewhere = method(), method("--gpu", "rtx-4090")
    text = tlplan("--model", "llama-3.2-1b", environment=here).out

    assert after["expected_peak_bytes"] - before["expected_peak_bytes"] == 75 * MIB
    assert (after["basis"]["kind"], after["basis"]["runs"]) == ("measured", 3)
    assert elsewhere["basis"]["kind"] == "formula"
    assert "measured, 3 runs here" in text


def test_the_next_plan_takes_the_time_that_runs_here_took(
    tmp_path: Path, fake_driver: Callable[[str], Mapping[str, str]]
) -> None:
    """Runs a quarter slower than computed: so is the next plan, and it says why."""
    here = {**fake_driver(machines.RTX_4090_DESKTOP)}
    data = tmp_path / "rows.jsonl"
    data.write_text('{"prompt": "a", "completion": "b"}\n' * 40)

    def planned() -> dict[str, Any]:
        answer = tlplan("plan", *MODEL, "--data", str(data), environment=here)
        found: dict[str, Any] = json.loads(answer.out)
        return found

    before = planned()["plan"]["expected"]["step_seconds"]
    plan = _plan(tmp_path, predicted_peak_bytes=1000)
    plan = replace(
        plan,
        method=replace(plan.method, name="lora"),
        expected=ExpectedSection(step_seconds=2.4, uncorrected_step_seconds=2.0),
    )
    for number in range(3):
        report = _report(1000)
        report["measured"]["step_seconds"] = 2.5
        assert keep_measured(f"/runs/{number}", f"2026-{number}", plan, report)
    after = planned()

    expected = after["plan"]["expected"]
    assert expected["step_seconds"] == pytest.approx(before * 1.25**0.75, rel=0.01)
    assert expected["uncorrected_step_seconds"] == before
    assert "corrected by 3 runs here" in after["reasons"]["expected.step_seconds"]
