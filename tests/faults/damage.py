"""Checkpoints that lost or changed a file after they were written."""

from __future__ import annotations

import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from launcher.runs.checkpoints import list_checkpoints
from tests.faults.kills import any_run
from tests.faults.kinds import kind
from tests.faults.laboratory import Laboratory, Run
from tests.faults.plans import STEPS

_WANTED = "the one before is taken, with a warning; weights and losses equal the undisturbed run"


def _torn(file: Path, draw: random.Random) -> None:
    with file.open("r+b") as stream:
        stream.truncate(draw.randrange(file.stat().st_size))


def _flipped(file: Path, draw: random.Random) -> None:
    content = bytearray(file.read_bytes())
    content[draw.randrange(len(content))] ^= 0xFF
    file.write_bytes(content)


def _missing(file: Path, _: random.Random) -> None:
    file.unlink()


WAYS: dict[str, Callable[[Path, random.Random], None]] = {
    "torn": _torn,
    "changed": _flipped,
    "missing": _missing,
}
"""What may have happened to a file."""


def _stopped_run(laboratory: Laboratory, draw: random.Random) -> Run:
    """A run that was stopped behind a step, which saved it, with two checkpoints."""
    run = any_run(laboratory, draw)
    run.start(
        {
            "kind": "signal",
            "event": "step",
            "nth": draw.randint(4, STEPS - 1),
            "to": "supervisor",
            "signals": [signal.SIGTERM],
        }
    )
    assert run.ended().exit_code == 75, run.story()
    return run


def _damage(name: str) -> None:
    @kind(f"a {name} file in the newest checkpoint", _WANTED)
    def damaged(laboratory: Laboratory, draw: random.Random) -> None:
        run = _stopped_run(laboratory, draw)
        newest = list_checkpoints(run.folder.path)[0]
        # README.md of an adapter is in the manifest too; every file counts.
        file = draw.choice(sorted(each for each in newest.iterdir() if each.stat().st_size))
        WAYS[name](file, draw)
        reached = max(run.losses())

        run.start(resume=True)
        assert run.ended().exit_code == 0, run.story()

        (warning,) = [each["message"] for each in run.events("warning")]
        assert warning.startswith("skipped a broken checkpoint: "), run.story()
        assert newest.name in warning, run.story()
        again = [each["step"] for each in run.events("step")]
        assert again[len(set(range(1, reached + 1)))] <= reached, run.story()
        run.check_equal(intervals=2)


for _name in WAYS:
    _damage(_name)


@kind("an empty checkpoint with a higher number", _WANTED)
def empty(laboratory: Laboratory, draw: random.Random) -> None:
    run = _stopped_run(laboratory, draw)
    (run.folder.checkpoints / "step-99").mkdir()

    run.start(resume=True)
    assert run.ended().exit_code == 0, run.story()

    shutil.rmtree(run.folder.checkpoints / "step-99", ignore_errors=True)
    run.check_equal()


@kind("no checkpoint is whole", "starts at step 0, says so, and equals the undisturbed run")
def none_left(laboratory: Laboratory, draw: random.Random) -> None:
    run = _stopped_run(laboratory, draw)
    for checkpoint in list_checkpoints(run.folder.path):
        WAYS[draw.choice(list(WAYS))](checkpoint / "optimizer.pt", draw)

    run.start(resume=True)
    assert run.ended().exit_code == 0, run.story()

    assert run.events("recovery")[0]["message"] == "there is no checkpoint: starting at step 0"
    run.check_equal(intervals=STEPS)
