"""How much longer the quick check takes than the bare interpreter; best of several starts each.

python bench/quick_check.py [STARTS]
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
BUDGET_MILLISECONDS = 60
CASES = {
    "python -c pass": ["-c", "pass"],
    "tlplan --version": ["-m", "launcher", "--version"],
    "tlplan --model, --gpu": ["-m", "launcher", "--model", "llama-3.1-8b", "--gpu", "rtx-4090"],
    "the same, --json": [
        "-m",
        "launcher",
        "--model",
        "llama-3.1-8b",
        "--gpu",
        "rtx-4090",
        "--json",
    ],
    "tlplan --model": ["-m", "launcher", "--model", "llama-3.1-8b"],
}


def best_milliseconds(arguments: list[str], starts: int) -> float:
    """The quickest of some process starts."""
    return min(_milliseconds(arguments) for _ in range(starts))


def _milliseconds(arguments: list[str]) -> float:
    # Without cached bytecode every start would compile tlplan anew, which no user's does.
    environment = {**os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, *arguments]
    begun = time.perf_counter()
    subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, check=False)
    return 1000 * (time.perf_counter() - begun)


def main() -> None:
    """Print one line a case."""
    starts = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    bare = 0.0
    for name, arguments in CASES.items():
        best = best_milliseconds(arguments, starts)
        bare = bare or best
        print(f"{name:24}{best:7.1f} ms   +{best - bare:5.1f} ms   x {best / bare:4.1f}")
    print(f"the quick check may take +{BUDGET_MILLISECONDS} ms")


if __name__ == "__main__":
    main()
