"""Many random injections in a row, and a table of what came of them.

python -m tests.faults.campaign [--count 200] [--seed N] [--jobs 2] [--only WORDS]
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.faults.kinds import NotHere, all_kinds
from tests.faults.laboratory import Laboratory

MEMORY_DISK = Path("/dev/shm")
"""Runs are small and many; a disk in memory keeps fsync from being what is measured."""

Outcome = tuple[str, int, str | None]
"""Kind, seed, what went wrong."""


def drawn(count: int, seed: int, only: str = "") -> list[tuple[str, int]]:
    """Kinds in turn, so that each comes equally often, and a seed for each injection."""
    draw = random.Random(seed)
    names = [name for name in all_kinds() if only in name]
    order: list[str] = []
    while len(order) < count:
        draw.shuffle(names)
        order += names
    return [(name, draw.randrange(1 << 32)) for name in order[:count]]


def carry_out(injections: list[tuple[str, int]]) -> list[Outcome]:
    """Inject one after the other in a laboratory of their own."""
    outcomes: list[Outcome] = []
    where = MEMORY_DISK if MEMORY_DISK.is_dir() else None
    with (
        tempfile.TemporaryDirectory(dir=where) as folder,
        Laboratory.open(Path(folder)) as laboratory,
    ):
        for name, seed in injections:
            outcomes.append((name, seed, _problem(laboratory, name, seed)))
            mark = "." if outcomes[-1][2] is None else "F"
            sys.stderr.write(mark)
            sys.stderr.flush()
    return outcomes


def _problem(laboratory: Laboratory, name: str, seed: int) -> str | None:
    try:
        all_kinds()[name].inject(laboratory, random.Random(seed))
    except NotHere as missing:
        return f"not possible here: {missing}"
    except Exception:  # noqa: BLE001  whatever it was, the others go on
        return traceback.format_exc()
    return None


def table(outcomes: list[Outcome]) -> str:
    """Kinds with how many went as wanted."""
    tried, failed = Counter(), Counter()
    for name, _, problem in outcomes:
        tried[name] += 1
        failed[name] += problem is not None
    lines = [f"{'injection':<58}{'tried':>7}{'as wanted':>11}"]
    lines += [
        f"{name:<58}{tried[name]:>7}{tried[name] - failed[name]:>11}" for name in sorted(tried)
    ]
    total, bad = sum(tried.values()), sum(failed.values())
    return "\n".join([*lines, f"{'all':<58}{total:>7}{total - bad:>11}"])


def main() -> int:
    """Run the campaign; exit code 1 when anything was not as wanted."""
    parser = argparse.ArgumentParser(prog="make faults")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="kinds with these words in their name")
    options = parser.parse_args()
    sys.stdout.write(f"{options.count} injections, seed {options.seed}\n")
    sys.stdout.flush()
    started = time.monotonic()
    injections = drawn(options.count, options.seed, options.only)
    shares = [injections[number :: options.jobs] for number in range(options.jobs)]
    with ProcessPoolExecutor(options.jobs) as pool:
        outcomes = [each for share in pool.map(carry_out, shares) for each in share]
    sys.stderr.write("\n")
    problems = [each for each in outcomes if each[2] is not None]
    for name, seed, problem in problems:
        sys.stdout.write(f"\n{name}, seed {seed}:\n{problem}\n")
    sys.stdout.write(f"\n{table(outcomes)}\n{(time.monotonic() - started) / 60:.1f} minutes\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
