"""--trace: the real classes answer, and where they cannot the formula does and says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.launcher.cli.program import REPOSITORY, plain_environment
from tests.launcher.tracing.samples import case, config

pytest.importorskip("torch")
pytest.importorskip("transformers")

_ROWS = [
    case(id="known"),
    case(id="other stack", stack="litgpt"),
    case(id="other stack again", stack="litgpt", micro_batch=3),
    # No block of hwdb stands in for a model without attention.
    case(
        id="no attention",
        method="full",
        config={
            "model_type": "mamba",
            "hidden_size": 64,
            "num_hidden_layers": 4,
            "vocab_size": 500,
            "state_size": 4,
        },
    ),
    case(id="impossible", micro_batch=0),
    case(id="nowhere", config={"model_type": "t5", "d_model": 64}),
]


def _tlplan(cache: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "launcher", *words],
        cwd=REPOSITORY,
        env={**plain_environment(), "XDG_CACHE_HOME": str(cache)},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_line_gets_the_best_answer_there_is(tmp_path: Path) -> None:
    """A trace, the formula with a warning, or an error that says why there is neither."""
    lines = "".join(json.dumps(row) + "\n" for row in _ROWS)
    done = _tlplan(tmp_path, "estimate", "-", "--trace", stdin=lines)
    answers: dict[str, Any] = {
        each["id"]: each for each in map(json.loads, done.stdout.split("\n")[:-1])
    }

    assert done.returncode == 0
    tiers = {name: each["basis"]["tier"] for name, each in answers.items() if "basis" in each}
    assert tiers == {
        "known": "trace", "other stack": "formula", "other stack again": "formula",
        "no attention": "trace",
    }  # fmt: skip
    assert answers["known"]["warnings"] == []
    for name in ("other stack", "other stack again"):
        assert "litgpt" in answers[name]["warnings"][0]
    assert "warning: line 2: estimated by formula: stack litgpt" in done.stderr
    assert "warning: 2 lines: estimated by formula: stack litgpt" in done.stderr
    assert done.stderr.count("litgpt") == 2
    assert answers["impossible"]["error"]["field"] == "micro_batch"
    assert "cannot be traced" in answers["nowhere"]["error"]["message"]


def test_a_check_by_trace_says_so_and_is_kept(tmp_path: Path) -> None:
    """The second time no worker starts."""
    model = tmp_path / "tiny" / "config.json"
    model.parent.mkdir()
    model.write_text(json.dumps(config("llama")))
    words = ("--model", str(model), "--gpu", "8GiB", "--method", "lora", "--json")
    first = _tlplan(tmp_path, *words, "--trace")
    second = _tlplan(tmp_path, *words, "--trace")
    formula = json.loads(_tlplan(tmp_path, *words).stdout)["methods"][0]
    method = json.loads(first.stdout)["methods"][0]

    assert "tracing a step" in first.stderr
    assert "tracing a step" not in second.stderr
    assert first.stdout == second.stdout
    assert (method["basis"]["kind"], formula["basis"]["kind"]) == ("trace", "formula")
    assert sum(method["parts"].values()) == method["memory"]["device_bytes"]["expected"]


def test_a_plan_file_and_trace_do_not_go_together(tmp_path: Path) -> None:
    """A plan file has its numbers already."""
    plan = tmp_path / "plan.yaml"
    plan.write_text("")
    done = _tlplan(tmp_path, "launch", str(plan), "--trace")

    assert done.returncode == 2
    assert "--trace cannot go with a plan file" in done.stderr
