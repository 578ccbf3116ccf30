"""Many monkeys, and a table of what came of them: see `python -m tests.monkey.campaign --help`."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.monkey.loose import Story, let_loose
from tests.monkey.scenes import SCENES

MEMORY_DISK = Path("/dev/shm")


def one(monkey: tuple[str, int]) -> Story:
    """Let one loose in a folder of its own."""
    where = MEMORY_DISK if MEMORY_DISK.is_dir() else None
    with tempfile.TemporaryDirectory(dir=where, prefix="monkey-") as folder:
        story = let_loose(*monkey, Path(folder).resolve())
    if story.wrong:
        sys.stdout.write(f"\n{story.told()}\n")
        sys.stdout.flush()
    sys.stderr.write("F" if story.wrong else ".")
    sys.stderr.flush()
    return story


def main() -> int:
    """Exit code 1 when anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.monkey.campaign")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first one")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="scenes with these words in their name")
    options = parser.parse_args()
    scenes = [name for name in SCENES if options.only in name]
    monkeys = [
        (random.Random(number).choice(scenes), number)
        for number in range(options.seed, options.seed + options.count)
    ]
    started = time.monotonic()
    with ProcessPoolExecutor(options.jobs) as pool:
        stories = list(pool.map(one, monkeys))
    tried = Counter(story.scene for story in stories)
    wrong = Counter(story.scene for story in stories if story.wrong)
    rows = [f"{name:<16}{tried[name]:>6}{wrong[name]:>8}" for name in scenes]
    took = (time.monotonic() - started) / 60
    told = [f"\n\nfrom seed {options.seed}", "scene            tried   wrong", *rows]
    sys.stdout.write("\n".join([*told, f"{took:.1f} minutes\n"]))
    return 1 if any(wrong.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
