"""launcher/cli/runs.py: the list of runs."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.cli import runs
from launcher.runs.state import write_state
from tests.launcher.cli.conftest import Command
from tests.launcher.run_samples import sample_run, sample_state


def test_runs_are_listed_in_80_columns_newest_first(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line each with state, step, loss, peak of predicted and age."""
    old = sample_run(tmp_path / "runs" / "a-lora-01")
    write_state(old, sample_state(exit_code=0))
    for file in (old.plan, old.state):
        os.utime(file, (time.time() - 7300, time.time() - 7300))
    sample_run(tmp_path / "runs" / ("a-very-long-model-name-" * 3 + "qlora-12"))

    assert command(runs) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "RUN                       METHOD STATE            STEP   LOSS  PEAK GiB   ACTIVE",
        "a-very-long..ame-qlora-12 lora   lost                -      -    -/2.00      now",
        "a-lora-01                 lora   finished          3/5  1.500 2.00/2.00   2h ago",
    ]
    assert {len(line) for line in lines} == {80}


def test_a_run_that_was_only_rehearsed_is_called_so(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """It waits for a resume, and nobody interrupted it."""
    folder = sample_run(tmp_path / "runs" / "a-lora-01")
    write_state(folder, replace(sample_state(exit_code=0), phase="rehearsed"))

    assert command(runs) == 0

    assert "a-lora-01                 lora   rehearsed " in capsys.readouterr().out


def test_runs_as_json_hold_the_same_and_more(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """One document; unknown is null."""
    folder = sample_run(tmp_path / "runs" / "a-lora-01")

    assert command(runs, "--json") == 0

    document = json.loads(capsys.readouterr().out)
    (listed,) = document["runs"]
    assert document["schema_version"] == 1
    assert (listed["name"], listed["folder"]) == ("a-lora-01", str(folder.path))
    assert (listed["loss"], listed["step"], listed["method"]) == (None, None, "lora")


def test_a_broken_plan_does_not_hide_a_run(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be read is a dash."""
    folder = sample_run(tmp_path / "runs" / "a-lora-01")
    folder.plan.write_text("model: [")

    assert command(runs) == 0

    assert "a-lora-01                 -      lost" in capsys.readouterr().out


def test_no_runs_is_a_note(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output stays empty."""
    assert command(runs) == 0

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("note:  there is no run in")


@pytest.mark.parametrize(
    ("seconds", "expected"), [(3, "now"), (61, "1m ago"), (7300, "2h ago"), (10**7, "115d ago")]
)
def test_ages_are_short(seconds: float, expected: str) -> None:
    """At most eight characters."""
    assert runs.ago(seconds) == expected
