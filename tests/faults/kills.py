"""Kill -9 of worker and supervisor, at steps and inside saves, and hanging workers."""

from __future__ import annotations

import random
import signal
from dataclasses import replace

from launcher.runs.state import liveness, write_state
from tests.faults.kinds import kind
from tests.faults.laboratory import Laboratory, Run
from tests.faults.plans import STEPS, VARIANTS

EQUAL = "finishes; weights and losses equal the undisturbed run"
_CALLS = {"fsync": 40, "rename": 4, "write": 6, "state": 9, "weights": 4}
"""Functions that saves are made of, and how often a run calls each, roughly."""


def any_run(laboratory: Laboratory, draw: random.Random) -> Run:
    """A new run of any plan."""
    return laboratory.run(draw.choice(list(VARIANTS)))


@kind("kill -9 of the worker at a step", f"goes on by itself and {EQUAL}")
def worker_at_step(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    nth = draw.randint(1, STEPS)
    run.start(
        {"kind": "signal", "event": "step", "nth": nth, "to": "worker", "signals": [signal.SIGKILL]}
    )

    assert run.ended().exit_code == 0, run.story()

    run.check_equal()


@kind("kill -9 of the worker inside a save", f"goes on by itself and {EQUAL}")
def worker_in_save(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    run.start(_in_save(draw, "kill worker"))

    assert run.ended().exit_code == 0, run.story()

    run.check_equal()


@kind("kill -9 of the supervisor at a step", f"after tlplan resume {EQUAL}")
def supervisor_at_step(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    run.start(
        {
            "kind": "signal",
            "event": "step",
            "nth": draw.randint(1, STEPS - 1),
            "to": "supervisor",
            "signals": [signal.SIGKILL],
        }
    )

    run.ended()
    assert liveness(run.folder) == "lost", run.story()

    run.finish()
    run.check_equal()


@kind("kill -9 of the supervisor inside a save", f"after tlplan resume {EQUAL}")
def supervisor_in_save(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    run.start(_in_save(draw, "kill supervisor"))

    run.finish()
    run.check_equal()


@kind("kill -9 of both at once, as in a power cut", f"after tlplan resume {EQUAL}")
def power_cut(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    fault = _in_save(draw, "kill both")
    if draw.random() < 0.5:
        fault = {
            "kind": "signal",
            "event": "step",
            "nth": draw.randint(1, STEPS),
            "to": "both",
            "signals": [signal.SIGKILL],
        }
    run.start(fault)

    run.finish()
    run.check_equal()


@kind("the machine starts again, numbers of processes are given anew", f"after resume {EQUAL}")
def restart(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    killed = {"to": "both", "signals": [signal.SIGKILL]}
    run.start({"kind": "signal", "event": "step", "nth": draw.randint(1, STEPS), **killed})
    state = run.ended()
    another = {"supervisor_pid": 1, "supervisor_started": "another-boot:7", "worker_pid": 2}
    write_state(run.folder, replace(state, **another))
    (run.folder.path / ".state.json.1").write_text("{")

    assert liveness(run.folder) == "lost", run.story()

    run.start(resume=True)
    assert run.ended().exit_code == 0, run.story()
    run.check_equal()


@kind("a step that never ends", f"is found, killed and replaced, and {EQUAL}")
def hang(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    run.start({"kind": "hang", "step": draw.randint(2, STEPS)}, patience=4)

    assert run.ended().exit_code == 0, run.story()

    assert "hung" in run.events("recovery")[0]["message"], run.story()
    run.check_equal()


def _in_save(draw: random.Random, act: str) -> dict[str, object]:
    call = draw.choice(list(_CALLS))
    return {"kind": "call", "call": call, "nth": draw.randint(1, _CALLS[call]), "act": act}
