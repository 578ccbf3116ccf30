"""Launches a run with the fake worker, as a process of its own that tests can interrupt.

python -m tests.launcher.cli.launching FOLDER [detach] [json] [quiet] [yes] [dry_run]
"""

from __future__ import annotations

import sys
from pathlib import Path

from launcher.cli.launch import LaunchOptions, launch_run
from tests.launcher.run_samples import fake_supervision, plan_text, sample_plan

if __name__ == "__main__":
    plan = sample_plan(Path(sys.argv[1]))
    chosen: dict[str, bool] = dict.fromkeys(sys.argv[2:], True)
    options = LaunchOptions(supervision=fake_supervision(), **chosen)
    sys.exit(launch_run(plan_text(plan), plan, options))
