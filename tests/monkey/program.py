"""tlplan with a worker that trains nothing: `python -m tests.monkey.program [WORDS]`."""

from __future__ import annotations

import asyncio
import signal
import sys
from functools import partial
from pathlib import Path

import launcher.again
import launcher.wizard.start.beginning
from launcher.__main__ import main
from launcher.runs.starting import start_run
from tests.launcher.run_samples import fake_supervision

TASKS = "tasks.txt"
"""Where SIGUSR1 writes what the program waits for."""


def _tell_tasks(*_: object) -> None:
    with Path(TASKS).open("w", encoding="utf-8") as file:
        for task in asyncio.all_tasks():
            task.print_stack(file=file)


if __name__ == "__main__":
    with_fake_worker = partial(start_run, settings=fake_supervision())
    launcher.wizard.start.beginning.start_run = with_fake_worker  # type: ignore[attr-defined]
    launcher.again.start_run = with_fake_worker  # type: ignore[attr-defined]
    signal.signal(signal.SIGUSR1, _tell_tasks)
    sys.exit(main())
