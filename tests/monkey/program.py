"""tlplan with a worker that trains nothing: `python -m tests.monkey.program [WORDS]`."""

from __future__ import annotations

import sys
from functools import partial

import launcher.again
import launcher.wizard.start.beginning
from launcher.__main__ import main
from launcher.runs.starting import start_run
from tests.launcher.run_samples import fake_supervision

if __name__ == "__main__":
    with_fake_worker = partial(start_run, settings=fake_supervision())
    launcher.wizard.start.beginning.start_run = with_fake_worker  # type: ignore[attr-defined]
    launcher.again.start_run = with_fake_worker  # type: ignore[attr-defined]
    sys.exit(main())
