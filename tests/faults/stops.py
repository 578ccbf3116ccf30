"""Requests to stop in every phase, once and twice, and terminals that close."""

from __future__ import annotations

import random
import signal
from dataclasses import replace

from planner.optional_sections import EvaluationSection
from planner.plan_file import plan_file_text
from tests.faults.kills import EQUAL, any_run
from tests.faults.kinds import kind
from tests.faults.laboratory import Laboratory
from tests.faults.plans import STEPS

PHASES = ("tokenizing", "loading weights", "evaluating", "answering", "training", "saving")


def _in_phase(
    phase: str, draw: random.Random, *numbers: int, pause: float = 0
) -> dict[str, object]:
    if phase == "training":
        where = {"event": "step", "nth": draw.randint(1, STEPS - 1)}
    else:
        # Evaluations and answers come before, between and after.
        several = {"evaluating": 3, "answering": 2}
        where = {"phase": phase, "nth": draw.randint(1, several.get(phase, 1))}
    return {"kind": "signal", "to": "supervisor", "signals": numbers, "pause": pause, **where}


def _stop_in(phase: str) -> None:
    @kind(f"SIGTERM while {phase}", f"exit 75 within the grace time; after tlplan resume {EQUAL}")
    def stop(laboratory: Laboratory, draw: random.Random) -> None:
        run = any_run(laboratory, draw)
        number = draw.choice([signal.SIGTERM, signal.SIGINT])
        run.start(_in_phase(phase, draw, number))

        assert run.ended().exit_code == 75, run.story()

        run.finish()
        run.check_equal()


for _phase in PHASES:
    _stop_in(_phase)


@kind("SIGTERM while comparing with the base", f"exit 75; after tlplan resume {EQUAL}")
def stop_comparing(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    compared = EvaluationSection(answer_rows=2, answer_tokens=2)
    run.folder.plan.write_text(plan_file_text(replace(run.plan, evaluation=compared), {}))
    fault = {"phase": "comparing", "nth": draw.randint(1, 2), "to": "supervisor"}
    run.start({"kind": "signal", "signals": [signal.SIGTERM], **fault})

    assert run.ended().exit_code == 75, run.story()

    run.finish()
    run.check_equal()


@kind("SIGTERM in the rehearsal", f"exit 75; after tlplan resume {EQUAL}")
def stop_rehearsing(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    fault = {"phase": "rehearsing", "to": "supervisor", "signals": [signal.SIGTERM]}
    run.start({"kind": "signal", **fault}, rehearse="yes")

    assert run.ended().exit_code == 75, run.story()

    run.finish()
    assert run.events("rehearsal")[-1]["planned_steps"] == STEPS, run.story()
    run.check_equal()


@kind("SIGTERM at any moment", f"exit 75, or done before; after tlplan resume {EQUAL}")
def stop_at_any_moment(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    whole = laboratory.reference(run.name)
    seconds = whole.events("finished")[0]["seconds"]
    run.start()
    run.wait(run.folder.events.exists)
    _wait_seconds(draw.uniform(0, seconds))
    run.interrupt(signal.SIGTERM)

    assert run.ended().exit_code in (75, 0), run.story()

    run.finish()
    run.check_equal()


@kind("a second Ctrl-C", f"exit 130 at once, checkpoints intact; after tlplan resume {EQUAL}")
def stop_twice(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    # In a step the worker goes on to save, so the second one finds it there.
    fault = _in_phase("training", draw, signal.SIGTERM, signal.SIGINT)
    run.start(fault)

    assert run.ended().exit_code == 130, run.story()

    run.finish()
    run.check_equal()


@kind("SIGHUP: the terminal closes", f"changes nothing: {EQUAL}")
def hang_up(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    fault = _in_phase("training", draw, signal.SIGHUP)
    run.start(fault | {"to": draw.choice(["worker", "supervisor"])})

    assert run.ended().exit_code == 0, run.story()

    run.check_equal(intervals=0)


def _wait_seconds(seconds: float) -> None:
    import time

    time.sleep(seconds)  # the moment itself is what is drawn
