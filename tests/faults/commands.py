"""The commands as a person types them, each process started cold, killed in the middle."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from launcher.runs.state import read_state
from tests.faults.kills import EQUAL, any_run
from tests.faults.kinds import kind
from tests.faults.laboratory import ROOT, Laboratory, Run
from tests.faults.plans import STEPS


def tlplan(run: Run, *words: str, **environment: str) -> subprocess.Popen[str]:
    """A command, started in the folder above the run's."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "launcher", *words],
        cwd=run.folder.path.parent,
        env=dict(os.environ)
        | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def launched(run: Run) -> subprocess.Popen[str]:
    """`tlplan launch` of the run's plan, which makes its folder itself."""
    plan = run.folder.path.with_suffix(".yaml")
    shutil.copy(run.folder.plan, plan)
    shutil.rmtree(run.folder.path)
    return tlplan(run, "launch", str(plan), "--yes")


def wait_for_step(run: Run, step: int, command: subprocess.Popen[str]) -> None:
    """Until that step is told; fails when the command ends before."""

    def there() -> bool:
        if command.poll() is not None:
            raise AssertionError(command.communicate()[0])
        if not Path(run.folder.events).exists():
            return False
        return any(event["step"] >= step for event in run.events("step"))

    run.wait(there)


def _kill(run: Run, whom: str) -> None:
    state = read_state(run.folder)
    assert state is not None
    run.pid = state.supervisor_pid
    pid = state.supervisor_pid if whom == "supervisor" else state.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


@kind("tlplan launch, kill -9 of the worker", f"goes on by itself and {EQUAL}")
def worker(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    launch = launched(run)
    wait_for_step(run, draw.randint(1, STEPS - 2), launch)
    _kill(run, "worker")

    said = launch.communicate(timeout=300)[0]

    assert launch.returncode == 0, said
    run.check_equal()


@kind("tlplan launch, kill -9 of the supervisor, tlplan resume", f"exit 1, then {EQUAL}")
def supervisor(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    launch = launched(run)
    wait_for_step(run, draw.randint(1, STEPS - 2), launch)
    _kill(run, "supervisor")
    said = launch.communicate(timeout=300)[0]
    assert launch.returncode == 1, said
    assert "tlplan resume" in said

    run.ended()
    resume = tlplan(run, "resume", str(run.folder.path))
    said = resume.communicate(timeout=300)[0]

    assert resume.returncode == 0, said
    run.check_equal()


@kind("tlplan launch, Ctrl-C, tlplan resume", f"exit 75, then {EQUAL}")
def interrupted(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    launch = launched(run)
    wait_for_step(run, draw.randint(1, STEPS - 2), launch)
    launch.send_signal(signal.SIGINT)
    said = launch.communicate(timeout=300)[0]
    assert launch.returncode == 75, said

    resume = tlplan(run, "resume", str(run.folder.path))
    said = resume.communicate(timeout=300)[0]

    assert resume.returncode == 0, said
    run.check_equal()
