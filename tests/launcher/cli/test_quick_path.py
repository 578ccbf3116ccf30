"""What the quick check does not import, which is what keeps it quick."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.launcher.cli.program import REPOSITORY, plain_environment

HEAVY = (
    *("torch", "transformers", "textual", "pydantic", "huggingface_hub", "rich", "psutil"),
    *("yaml", "asyncio", "pynvml", "tokenizers", "httpx", "numpy", "importlib.metadata"),
)
COUNT_LOADED = """
import json, sys
from launcher.__main__ import main
code = main(sys.argv[1:])
sys.stdout.flush()
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize(
    "words",
    [
        ("--model", "llama-3.1-8b", "--gpu", "rtx-4090"),
        ("--model", "llama-3.1-8b", "--gpu", "rtx-4090", "--json"),
        ("--model", "llama-3.1-8b"),
        ("--model", "llama-3.1-70b", "--gpu", "8GiB"),
        ("--version",),
        ("--help",),
    ],
)
def test_the_quick_path_loads_nothing_heavy(words: tuple[str, ...]) -> None:
    """Loads none of the libraries that cost more than the answer."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT_LOADED, *words],
        cwd=REPOSITORY,
        env=plain_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    loaded = set(json.loads(done.stderr.splitlines()[-1]))

    assert loaded & set(HEAVY) == set()


def test_the_quick_check_loads_few_modules_of_its_own() -> None:
    """Reads only the part of tlplan that it needs: nothing of runs, training or views."""
    words = ("--model", "llama-3.1-8b", "--gpu", "rtx-4090")
    done = subprocess.run(
        [sys.executable, "-c", COUNT_LOADED, *words],
        cwd=REPOSITORY,
        env=plain_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    loaded = json.loads(done.stderr.splitlines()[-1])
    unwanted = (
        *("launcher.runs", "launcher.training", "launcher.view", "launcher.data"),
        *("planner.loop", "planner.run_plan", "planner.search", "planner.market"),
        *("planner.speeding_up", "planner.memory.stacks.litgpt", "planner.memory.stacks.torchtune"),
    )

    assert [name for name in loaded if name.startswith(unwanted)] == []
