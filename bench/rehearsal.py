"""How near a run comes to what its rehearsal said: its usual step, and all of its time.

    python -m bench.rehearsal [--runs 3] [--steps 60] [--tokens 128]

Trains two layers of SmolLM2 with LoRA on packed rows of one length, on the CPU: a rehearsal at the
very settings of the run, then the run, both by the real supervisor. Each line is said over
measured; the clock of the run begins where its worker starts. Asks for an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from launcher.cache import cache_folder
from launcher.demo.model import demo_model_folder
from launcher.runs.events import Event, read_events
from launcher.runs.folder import create
from launcher.runs.starting import start_run
from launcher.runs.stored_plan import plan_in_force
from launcher.runs.supervisor import Supervision
from planner.plan_file import plan_file_text
from tests.launcher.run_samples import ended_state
from tests.launcher.training.plans import make_plan
from tests.models import CUT_TO_TWO_LAYERS

_LONGEST_SECONDS = 1800
_WORDS = ("the", "printer", "of", "room", "shows", "error", "nine", "after", "every", "page")


class Outcome(NamedTuple):
    """A rehearsal and the run after it."""

    said_step: float
    median_step: float
    said_run: float
    run: float


def main() -> None:
    """Rehearse and run a few times; print each outcome and their mean miss."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--tokens", type=int, default=128)
    options = parser.parse_args()
    model = _model()
    outcomes = []
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory() as folder:
            one = _outcome(Path(folder), model, options.steps, options.tokens)
        outcomes.append(one)
        print(
            f"step {one.said_step:.4f} said, {one.median_step:.4f} s median, "
            f"{one.said_step / one.median_step - 1:+.1%};  run {one.said_run:.1f} said, "
            f"{one.run:.1f} s, {one.said_run / one.run - 1:+.1%}",
            flush=True,
        )
    step = statistics.mean(abs(one.said_step / one.median_step - 1) for one in outcomes)
    run = statistics.mean(abs(one.said_run / one.run - 1) for one in outcomes)
    print(f"mean miss: step {step:.1%}, run {run:.1%}")


def _outcome(folder: Path, model: Path, steps: int, tokens: int) -> Outcome:
    plan = make_plan(
        model=model,
        data=_rows(folder / "train.jsonl"),
        run=folder / "run",
        packing=True,
        loss="torch",
        sequence_tokens=tokens,
        micro_batch_rows=2,
        accumulation_steps=2,
        max_steps=steps,
        checkpoint_every_steps=max(1, steps // 4),
    )
    run = create(folder / "run", plan_file_text(plan, {}))
    start_run(run, settings=Supervision(rehearse="yes"))
    state = ended_state(run, seconds=_LONGEST_SECONDS)
    assert state.exit_code == 0, run.log.read_text()
    events = list(read_events(run.events))
    began = max(number for number, event in enumerate(events) if event["type"] == "rehearsal")
    after = events[began:]
    expected = plan_in_force(run).expected
    assert expected.step_seconds is not None
    assert expected.run_seconds is not None
    return Outcome(
        said_step=expected.step_seconds,
        median_step=statistics.median(event["step_seconds"] for event in _of(after, "step")),
        said_run=expected.run_seconds,
        run=after[-1]["seconds"] - after[0]["seconds"],
    )


def _of(events: list[Event], event_type: str) -> list[Event]:
    return [event for event in events if event["type"] == event_type]


def _rows(path: Path) -> Path:
    """Rows of one length, so that nothing but the machine makes one step unlike another."""
    draw = random.Random(11)
    rows = [
        {"prompt": " ".join(draw.choices(_WORDS, k=12)), "completion": " ".join(_WORDS)}
        for _ in range(600)
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def _model() -> Path:
    whole = demo_model_folder(lambda text: print(text, file=sys.stderr))
    target = cache_folder() / "models" / "smollm2-135m-instruct-2-layers"
    if not (target / "model.safetensors").is_file():
        command = [sys.executable, "-c", CUT_TO_TWO_LAYERS, str(whole), str(target)]
        subprocess.run(command, check=True)
    return target


if __name__ == "__main__":
    main()
