"""Every exit code of a launch that ends before its first step, from the real command.

5 and 7 to 10 are in `test_launch_ends`; 1, 75 and 130 where runs are disturbed; 0 everywhere.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.laboratory import ROOT

GOOD = '{"prompt": "Where?", "completion": "queue=billing"}\n'


def code_of(folder: Path, *words: str) -> tuple[int, str]:
    (folder / "train.jsonl").write_text(GOOD * 20)
    (folder / "bad.jsonl").write_text(GOOD + '{"prompt": 5}\n')
    done = subprocess.run(
        [sys.executable, "-m", "launcher", *words],
        cwd=folder,
        env=dict(os.environ)
        | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
        | {"HF_HOME": str(folder / "hub")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stderr


LAUNCH = ("launch", "--model", "smollm2-135m", "--gpu", "cpu")


@pytest.mark.parametrize(
    ("code", "words", "said"),
    [
        (0, ("--model", "llama-3.1-8b", "--gpu", "rtx-4090"), ""),
        (2, ("--model", "llama-3.1-8b", "--no-such-option"), "no-such-option"),
        (2, ("launch", "nowhere.yaml"), "no such plan file"),
        (3, ("--model", "llama-3.1-405b", "--gpu", "8GiB"), ""),
        (4, (*LAUNCH, "--data", "bad.jsonl"), "bad.jsonl:2"),
        (6, (*LAUNCH, "--data", "train.jsonl"), "HF_HUB_OFFLINE"),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_each_end_has_its_code(
    code: int, words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    """Scripts rely on the number, people on the line that names the thing."""
    found, stderr = code_of(tmp_path, *words)

    assert found == code, stderr
    assert said in stderr


def test_a_failure_is_one_document_with_json(tmp_path: Path) -> None:
    """Standard output holds the error as data, with the same code."""
    (tmp_path / "x").touch()
    done = subprocess.run(
        [sys.executable, "-m", "launcher", "launch", "nowhere.yaml", "--json"],
        cwd=tmp_path,
        env=dict(os.environ) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "USAGE"
