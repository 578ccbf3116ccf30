"""Stands in for the real worker where torch would be slow: real events, no training.

FAKE_WORKER holds a JSON object of what it should do, see `Behaviour`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from launcher.runs.events import EventLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What this worker does."""

    steps: int = 5
    hold_after: int | None = None
    """Behind this step, wait for a file `go` in the run folder, or for SIGTERM."""
    dies_after: int | None = None
    """Behind this step, end as kill -9 does."""
    ignores_sigterm: bool = False
    child: bool = False
    """Start a child that would run for ever."""
    ends_with: int | None = None
    """Exit with this code behind the last step instead of finishing."""
    breaks_at_exit: bool = False
    """Crash when everything is done and told."""
    aborts_with: str | None = None
    """Behind the last step, say this and abort."""
    fails: dict[str, object] | None = None
    """Fields of a `setback` event to end with."""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("--resume-from", type=Path)
    options = parser.parse_args()
    behaviour = Behaviour(**json.loads(os.environ.get("FAKE_WORKER", "{}")))
    run: Path = options.run
    events = EventLog(run / "events.jsonl")
    first = int(options.resume_from.name.removeprefix("step-")) if options.resume_from else 0

    def save_and_go(*_: object) -> None:
        events.append("checkpoint", step=2, path="checkpoints/step-2", bytes=1000)
        os._exit(75)

    signal.signal(signal.SIGTERM, signal.SIG_IGN if behaviour.ignores_sigterm else save_and_go)
    if behaviour.child:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (run / "child.pid").write_text(str(child.pid))
    sys.stdout.write("a line of the worker\n")
    tell_start(events)
    for step in range(first + 1, behaviour.steps + 1):
        tell_step(events, step, behaviour.steps)
        if step == behaviour.dies_after:
            os.kill(os.getpid(), signal.SIGKILL)
        if step == behaviour.hold_after:
            (run / "holding").touch()
            while not (run / "go").exists():
                time.sleep(0.01)
    return end(events, run, behaviour)


def end(events: EventLog, run: Path, behaviour: Behaviour) -> int:
    if behaviour.fails is not None:
        events.append("setback", **behaviour.fails)
        return int(str(behaviour.fails["code"]))
    if behaviour.aborts_with is not None:
        sys.stderr.write(f"{behaviour.aborts_with}\n")
        os.abort()
    if behaviour.ends_with is not None:
        return behaviour.ends_with
    tell_end(events, run, behaviour.steps)
    if behaviour.breaks_at_exit:
        os.kill(os.getpid(), signal.SIGSEGV)
    return 0


def tell_start(events: EventLog) -> None:
    events.append("phase", phase="loading weights")
    events.append("evaluation", step=0, loss=4.5, when="before")
    events.append("answer", when="before", prompt="Where?", answer="I do not know.")
    events.append("phase", phase="training")


def tell_step(events: EventLog, step: int, steps: int) -> None:
    events.append(
        "step",
        step=step,
        total_steps=steps,
        loss=4.0 / step,
        grad_norm=1.0,
        learning_rate=1e-4,
        tokens=100 * step,
        tokens_per_second=50.0,
        epoch=step / steps,
        step_seconds=2.0,
    )


def tell_end(events: EventLog, run: Path, steps: int) -> None:
    events.append("evaluation", step=steps, loss=0.5, when="after")
    events.append("answer", when="after", prompt="Where?", answer="queue=billing")
    (run / "adapter").mkdir(exist_ok=True)
    (run / "adapter" / "adapter_model.safetensors").write_bytes(b"x" * 2048)
    events.append(
        "finished",
        steps=steps,
        loss_first=4.0,
        loss_last=4.0 / steps,
        evaluation_before=4.5,
        evaluation_after=0.5,
        result="adapter",
    )


if __name__ == "__main__":
    raise SystemExit(main())
