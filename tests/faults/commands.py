"""The commands as a person types them, each process started cold, killed in the middle."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from launcher.runs.checkpoints import list_checkpoints, verify
from launcher.runs.state import read_state
from tests.faults.hooks import going_on, held
from tests.faults.kills import EQUAL, any_run
from tests.faults.kinds import kind
from tests.faults.laboratory import ROOT, Laboratory, Run
from tests.faults.plans import STEPS

COLD = Path(__file__).with_name("cold")


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


def launched(run: Run, step: int) -> subprocess.Popen[str]:
    """`tlplan launch` of the run's plan, which makes its folder itself; waits behind that step."""
    plan = run.folder.path.with_suffix(".yaml")
    shutil.copy(run.folder.plan, plan)
    shutil.rmtree(run.folder.path)
    launch = tlplan(run, "launch", str(plan), "--yes", **holding(step))
    wait_for_hold(run, launch)
    return launch


def holding(step: int) -> dict[str, str]:
    """The environment of a command whose worker is to wait behind a step."""
    return {
        "PYTHONPATH": os.pathsep.join(map(str, (COLD, ROOT))),
        "FAULT": json.dumps({"kind": "hold", "step": step}),
    }


def wait_for_hold(run: Run, command: subprocess.Popen[str]) -> None:
    """Until the worker waits; fails when the command ends before."""

    def there() -> bool:
        if command.poll() is not None:
            raise AssertionError(command.communicate()[0])
        return held(run.folder.path)

    run.wait(there)


def interrupt(run: Run, command: subprocess.Popen[str], number: int = signal.SIGINT) -> None:
    """Send the command a signal and return when the run has it."""
    command.send_signal(number)
    run.wait(lambda: run.events("phase")[-1]["phase"] == "stopping")


def _kill(run: Run, whom: str) -> None:
    state = read_state(run.folder)
    assert state is not None
    run.pid = state.supervisor_pid
    going_on(run.folder.path).touch()
    pid = state.supervisor_pid if whom == "supervisor" else state.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


@kind("tlplan launch, kill -9 of the worker", f"goes on by itself and {EQUAL}")
def worker(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    launch = launched(run, draw.randint(1, STEPS - 2))
    _kill(run, "worker")

    said = launch.communicate(timeout=300)[0]

    assert launch.returncode == 0, said
    run.check_equal()


@kind("tlplan launch, kill -9 of the supervisor, tlplan resume", f"exit 1, then {EQUAL}")
def supervisor(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    launch = launched(run, draw.randint(1, STEPS - 2))
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
    launch = launched(run, draw.randint(1, STEPS - 2))
    interrupt(run, launch)
    going_on(run.folder.path).touch()
    said = launch.communicate(timeout=300)[0]
    assert launch.returncode == 75, said

    resume = tlplan(run, "resume", str(run.folder.path))
    said = resume.communicate(timeout=300)[0]

    assert resume.returncode == 0, said
    run.check_equal()


@kind("tlplan launch, Ctrl-C twice, tlplan resume", f"exit 130 at once, then {EQUAL}")
def interrupted_twice(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    launch = launched(run, draw.randint(1, STEPS - 2))
    interrupt(run, launch)
    launch.send_signal(signal.SIGINT)
    said = launch.communicate(timeout=60)[0]
    assert launch.returncode == 130, said
    whole = [verify(each) for each in list_checkpoints(run.folder.path)]
    assert whole == [[]] * len(whole), run.story()

    resume = tlplan(run, "resume", str(run.folder.path))
    said = resume.communicate(timeout=300)[0]

    assert resume.returncode == 0, said
    run.check_equal()
