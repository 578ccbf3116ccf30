"""The README keeps its word: what it shows is what comes out, and every command in it runs."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fake_nvml import no_driver_environment
from tests.launcher.cli.program import plain_environment
from tests.models import smollm2, tiny_model

__all__ = ["smollm2", "tiny_model"]

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")

_CASE = {"model": "llama-3.1-8b", "method": "lora", "micro_batch": 1, "sequence_tokens": 2048}


def _commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [line for line in lines if line.startswith("tlplan ")]


def _shown(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n```text\n(.*?)```", README, flags=re.DOTALL)
    assert found is not None, f"the README has no block {name}"
    return found.group(1)


def _run(command: str, folder: Path, model: Path) -> str:
    words = [sys.executable, "-m", "launcher", *shlex.split(command)[1:]]
    if "launch" in words and "plan.yaml" not in words:
        words += ["--max-steps", "6", "--batch", "4", "--accumulate", "1"]
    done = subprocess.run(
        [str(model) if word == "smollm2-135m" else word for word in words],
        cwd=folder,
        env=plain_environment(no_driver_environment()),
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_quick_check_is_shown_as_it_is(tmp_path: Path) -> None:
    """The block in the README is the program's output, byte for byte."""
    command = next(line for line in _commands() if line.startswith("tlplan --model"))

    assert _run(command, tmp_path, tmp_path) == _shown("quick check")


def test_the_run_screen_is_shown_as_it_was_recorded() -> None:
    """The block in the README is the screen of the recorded demo, sign by sign."""
    golden = REPOSITORY / "tests" / "golden" / "run_screen" / "demo-training-80x24.txt"

    assert golden.read_text(encoding="utf-8") == _shown("run screen")


@pytest.mark.training
@pytest.mark.timeout(900)
def test_every_command_of_the_readme_runs(tmp_path: Path, tiny_model: Path) -> None:
    """In the order of the README, in an empty folder, on two layers of the model it names."""
    model = tmp_path / "smollm2-135m"
    shutil.copytree(tiny_model, model)
    rows = (REPOSITORY / "launcher" / "demo" / "tickets.jsonl").read_text().splitlines()[:20]
    (tmp_path / "train.jsonl").write_text("\n".join(rows) + "\n")
    (tmp_path / "cases.jsonl").write_text(json.dumps(_CASE) + "\n")
    commands = _commands()
    assert len(commands) >= 9

    for command in commands:
        _run(command, tmp_path, model)

    states = json.loads(_run("tlplan runs --json", tmp_path, model))["runs"]
    assert {run["state"] for run in states} == {"finished"}


def test_the_tree_of_the_readme_is_there() -> None:
    """Each folder and file that the README names exists."""
    block = next(
        text
        for text in re.findall(r"```text\n(.*?)```", README, flags=re.DOTALL)
        if "hwdb/" in text
    )
    top = ""
    for line in block.splitlines():
        named = re.split(r"\s{2,}", line.strip())[0].split()
        inner = line.startswith(" ")
        if not inner:
            (top,) = named
        for name in named:
            path = REPOSITORY / top / name if inner else REPOSITORY / name
            assert path.exists() or list((REPOSITORY / top).glob(name)), line
