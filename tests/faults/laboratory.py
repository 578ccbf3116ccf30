"""Starts runs, disturbs them, brings them to their end, and compares them with undisturbed ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from launcher.runs.checkpoints import list_checkpoints, verify
from launcher.runs.events import Event, read_events
from launcher.runs.folder import RunFolder
from launcher.runs.process_identity import start_of
from launcher.runs.state import RunState, read_state
from planner.plan_file import plan_file_text
from planner.run_plan import RunPlan
from tests.faults.hooks import Fault
from tests.faults.plans import CHECKPOINT_EVERY, CLASSIFIERS, variant

DEADLINE_SECONDS = 120.0
ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Laboratory:
    """One zygote, a model and a data file for each task, and the undisturbed runs so far."""

    folder: Path
    model: Path
    data: Path
    encoder: Path
    labelled: Path
    zygote: subprocess.Popen[str]
    references: dict[str, Run] = field(default_factory=dict)
    count: int = 0

    @classmethod
    @contextmanager
    def open(cls, folder: Path) -> Iterator[Self]:
        """A laboratory in an empty folder; its zygote ends with it."""
        environment = dict(os.environ) | {
            "PYTHONPATH": str(ROOT),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "CUDA_VISIBLE_DEVICES": "",
        }
        code = (
            "import sys; from pathlib import Path; from tests.faults.model import *\n"
            "make_model(Path(sys.argv[1])); make_data(Path(sys.argv[2]))\n"
            "make_encoder(Path(sys.argv[3])); make_labelled_data(Path(sys.argv[4]))"
        )
        made = [folder / name for name in ("model", "train.jsonl", "encoder", "labelled.jsonl")]
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, *map(str, made)],
            env=environment,
            check=True,
            capture_output=True,
        )
        with (folder / "zygote.txt").open("wb") as log:
            zygote = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "tests.faults.zygote"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )
        assert zygote.stdout is not None
        if zygote.stdout.readline() != "ready\n":
            raise AssertionError((folder / "zygote.txt").read_text())
        try:
            yield cls(folder, *made, zygote)
        finally:
            assert zygote.stdin is not None
            zygote.stdin.close()
            zygote.stdout.close()
            zygote.wait()

    def run(self, name: str, *, below: Path | None = None, **training: Any) -> Run:
        """A new run of a plan of that name, not started; `below` puts it on another disk."""
        self.count += 1
        folder = (below or self.folder) / f"run-{self.count:03d}"
        model, data = self.model, self.data
        if name in CLASSIFIERS:
            model, data = self.encoder, self.labelled
        plan = variant(name, model=model, data=data, run=folder, **training)
        return Run(self, name, plan)

    def reference(self, name: str) -> Run:
        """The undisturbed run of a plan."""
        if name not in self.references:
            run = self.run(name)
            run.start()
            assert run.ended().exit_code == 0, run.story()
            self.references[name] = run
        return self.references[name]


class Run:
    """One run and what is done to it."""

    def __init__(self, laboratory: Laboratory, name: str, plan: RunPlan) -> None:
        self.laboratory = laboratory
        self.name = name
        self.plan = plan
        self.folder = RunFolder(Path(plan.output.folder))
        self.folder.path.mkdir(parents=True)
        self.folder.plan.write_text(plan_file_text(plan, {}))
        self.pid = 0
        self.starts = 0

    def start(self, fault: Fault | None = None, *, resume: bool = False, **order: Any) -> None:
        """Start a supervisor; returns once it is there."""
        zygote = self.laboratory.zygote
        assert zygote.stdin is not None
        assert zygote.stdout is not None
        order |= {"run": str(self.folder.path), "resume": resume, "fault": fault}
        zygote.stdin.write(json.dumps(order) + "\n")
        zygote.stdin.flush()
        self.pid = int(zygote.stdout.readline())
        self.starts += 1

    def ended(self) -> RunState:
        """The state once supervisor and worker are gone."""
        self.wait(lambda: start_of(self.pid) is None)
        state = read_state(self.folder)
        worker = state.worker_pid if state else None
        self.wait(lambda: worker is None or start_of(worker) is None)
        assert state is not None, self.story()
        return state

    def interrupt(self, number: int) -> None:
        """Send its supervisor a signal, if it still runs."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self, condition: Callable[[], object]) -> None:
        """Until it holds; fails with the run's story."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"it never happened\n{self.story()}"
            time.sleep(0.01)

    def finish(self, most_resumes: int = 3) -> RunState:
        """Resume until it is done."""
        state = self.ended()
        while state.exit_code != 0:
            most_resumes -= 1
            assert most_resumes >= 0, self.story()
            self.start(resume=True)
            state = self.ended()
        return state

    def events(self, event_type: str) -> list[Event]:
        """Its events of one type."""
        return [each for each in read_events(self.folder.events) if each["type"] == event_type]

    def weights(self) -> bytes:
        """The trained weights."""
        result = self.folder.result
        assert result is not None, self.story()
        (file,) = result.glob("*.safetensors")
        return file.read_bytes()

    def losses(self) -> dict[int, float]:
        """Loss by step; of a step taken twice the later one."""
        return {event["step"]: event["loss"] for event in self.events("step")}

    def repeated_steps(self) -> int:
        """The most steps that one interruption made the run take again."""
        most, reached = 0, 0
        for event in self.events("step"):
            most = max(most, reached - event["step"] + 1)
            reached = event["step"]
        return most

    def story(self) -> str:
        """What a person would look at when something is wrong."""
        events = list(read_events(self.folder.events)) if self.folder.events.exists() else []
        told = [json.dumps(each) for each in events if each["type"] not in ("memory", "step")]
        log = (
            self.folder.log.read_text(errors="replace")[-4000:] if self.folder.log.exists() else ""
        )
        return "\n".join([f"{self.name} in {self.folder.path}", *told[-25:], log])

    def check_whole(self) -> None:
        """Nothing half-made is left, and every checkpoint is as it was written."""
        checkpoints = list_checkpoints(self.folder.path)
        assert checkpoints, self.story()
        assert [verify(each) for each in checkpoints] == [[] for _ in checkpoints], self.story()
        left = [each.name for each in self.folder.checkpoints.glob(".*")]
        left += [each.name for each in self.folder.path.glob(".*")]
        assert left == [], self.story()

    def check_equal(self, *, intervals: int = 1) -> None:
        """It ended like the undisturbed run: weights, losses, and little done twice."""
        reference = self.laboratory.reference(self.name)
        self.check_whole()
        assert self.losses() == reference.losses(), self.story()
        assert self.weights() == reference.weights(), self.story()
        assert self.repeated_steps() <= intervals * CHECKPOINT_EVERY, self.story()
