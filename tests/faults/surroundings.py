"""What changes around a run: the clock, the data, the driver."""

from __future__ import annotations

import random
import signal
from pathlib import Path

from tests.faults.kills import EQUAL, any_run
from tests.faults.kinds import kind
from tests.faults.laboratory import Laboratory
from tests.faults.plans import STEPS

_DAY = 86_400


@kind("the clock jumps", f"changes nothing: {EQUAL}")
def clock(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    seconds = draw.choice([-10 * _DAY, -3600, 3600, 400 * _DAY])
    run.start({"kind": "clock", "step": draw.randint(1, STEPS), "seconds": seconds})

    assert run.ended().exit_code == 0, run.story()

    run.check_equal(intervals=0)


@kind("the data file changes between two attempts", f"exit 4; put back and resumed, {EQUAL}")
def data(laboratory: Laboratory, draw: random.Random) -> None:
    run = any_run(laboratory, draw)
    laboratory.reference(run.name)
    step = {"event": "step", "nth": draw.randint(1, STEPS - 1)}
    run.start({"kind": "signal", "to": "supervisor", "signals": [signal.SIGTERM], **step})
    assert run.ended().exit_code == 75, run.story()
    file = Path(run.plan.data.train)
    before = file.read_text()
    lines = before.splitlines(keepends=True)
    changes = ["".join(lines[:-1]), "".join(reversed(lines)), before.replace("ticket", "Ticket")]
    file.write_text(draw.choice(changes))

    run.start(resume=True)
    state = run.ended()
    file.write_text(before)

    assert state.exit_code == 4, run.story()
    run.finish()
    run.check_equal()
