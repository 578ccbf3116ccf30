"""A model that is fetched from the Hub: stopped in the middle, gone on with, never exchanged."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
from dataclasses import replace

from launcher.runs.state import read_state
from planner.plan_file import plan_file_text
from planner.run_plan import ModelSection
from tests.faults.commands import holding, interrupt, tlplan, wait_for_hold
from tests.faults.hooks import going_on
from tests.faults.kills import EQUAL
from tests.faults.kinds import kind
from tests.faults.laboratory import Laboratory, Run
from tests.faults.plans import STEPS
from tests.hub import COMMIT, NAME, ModelHub

_WEIGHTS = "model.safetensors"


def hub_command(run: Run, hub: ModelHub, *words: str, **environment: str) -> subprocess.Popen[str]:
    """The real command, with a cache of its own, asking this Hub."""
    environment |= {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(run.folder.path.with_suffix(".cache")),
        "HF_HUB_OFFLINE": "0",
        "NO_PROXY": "*",
    }
    return tlplan(run, *words, **environment)


def _launched(
    laboratory: Laboratory, hub: ModelHub, **environment: str
) -> tuple[Run, subprocess.Popen[str]]:
    run = laboratory.run("lora")
    model = ModelSection(name=NAME, hub_id=NAME, revision=None, folder=None)
    shutil.rmtree(run.folder.path)
    path = run.folder.path.with_suffix(".yaml")
    path.write_text(plan_file_text(replace(run.plan, model=model), {}))
    return run, hub_command(run, hub, "launch", str(path), **environment)


def _stopped(
    laboratory: Laboratory, hub: ModelHub, *numbers: int
) -> tuple[Run, subprocess.Popen[str]]:
    """A launch that got signals while half of the weights was there."""
    hub.held = _WEIGHTS
    run, launch = _launched(laboratory, hub)
    run.wait(lambda: hub.half_sent.is_set() or launch.poll() is not None)
    for number in numbers:
        launch.send_signal(number)
    return run, launch


def _said(command: subprocess.Popen[str], code: int) -> None:
    said = command.communicate(timeout=300)[0]
    assert command.returncode == code, said


@kind("SIGTERM while downloading", f"exit 75 at once; after tlplan resume {EQUAL}")
def stop(laboratory: Laboratory, draw: random.Random) -> None:
    with ModelHub.serving(laboratory.model) as hub:
        run, launch = _stopped(laboratory, hub, draw.choice([signal.SIGTERM, signal.SIGINT]))
        _said(launch, 75)
        assert run.events("phase")[-1]["phase"] in ("downloading", "stopping"), run.story()

        hub.go_on.set()
        _said(hub_command(run, hub, "resume", str(run.folder.path)), 0)

    assert json.loads(run.folder.provenance.read_text())["model"]["commit"] == COMMIT
    run.check_equal()


@kind("a second Ctrl-C while downloading", f"ends at once; after tlplan resume {EQUAL}")
def stop_twice(laboratory: Laboratory, _: random.Random) -> None:
    with ModelHub.serving(laboratory.model) as hub:
        run, launch = _stopped(laboratory, hub)
        _freeze_worker(run)
        interrupt(run, launch)
        launch.send_signal(signal.SIGINT)
        _said(launch, 130)

        hub.go_on.set()
        _said(hub_command(run, hub, "resume", str(run.folder.path)), 0)

    run.check_equal()


@kind("the model's branch on the Hub moves on between two attempts", f"changes nothing: {EQUAL}")
def moved_on(laboratory: Laboratory, draw: random.Random) -> None:
    with ModelHub.serving(laboratory.model) as hub:
        run, launch = _launched(laboratory, hub, **holding(draw.randint(1, STEPS - 2)))
        wait_for_hold(run, launch)
        interrupt(run, launch, signal.SIGTERM)
        going_on(run.folder.path).touch()
        _said(launch, 75)
        hub.commit = "f" * len(COMMIT)

        _said(hub_command(run, hub, "resume", str(run.folder.path)), 0)
        asked = {each.rpartition("/")[2] for each in hub.requests if "/revision/" in each}

    assert asked == {"main"}
    run.check_equal()


def _freeze_worker(run: Run) -> None:
    """A first request must not have ended it before the second one comes."""
    state = read_state(run.folder)
    assert state is not None
    assert state.worker_pid is not None
    os.kill(state.worker_pid, signal.SIGSTOP)
