"""A run folder: the names of its files, how one is made, and how one is found again."""

from __future__ import annotations

import difflib
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from launcher.errors import UsageError
from launcher.runs.atomic_file import replace_text

RUNS_ROOT = Path("runs")
"""Where runs are made and looked for, below the working folder."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where everything of one run is."""

    path: Path

    @property
    def name(self) -> str:
        """The run's name: the last part of its path."""
        return self.path.name

    @property
    def typed(self) -> str:
        """The run as commands typed here take it: its name, or its path where that is elsewhere."""
        try:
            here = Path.cwd()
        except FileNotFoundError:  # it was removed meanwhile
            return shlex.quote(str(self.path))
        if self.path.parent == here / RUNS_ROOT:
            return shlex.quote(self.name)
        inside = self.path.is_relative_to(here)
        return shlex.quote(str(self.path.relative_to(here) if inside else self.path))

    @property
    def plan(self) -> Path:
        """What was asked; never edited afterwards."""
        return self.path / "plan.yaml"

    @property
    def amended(self) -> Path:
        """The plan as recovery or rehearsal changed it; missing while it is as asked."""
        return self.path / "amended.yaml"

    @property
    def pulse(self) -> Path:
        """Touched by the worker whenever it gets on; its time is all it says."""
        return self.path / "pulse"

    @property
    def reserve(self) -> Path:
        """A little disk kept back for a run's last words, see `launcher.runs.disk`."""
        return self.path / ".reserve"

    @property
    def rehearsal(self) -> Path:
        """What a rehearsal writes; there only while it goes on."""
        return self.path / ".rehearsal"

    @property
    def events(self) -> Path:
        """Everything that happened, one event a line."""
        return self.path / "events.jsonl"

    @property
    def state(self) -> Path:
        """Phase, step, processes, heartbeat, exit code."""
        return self.path / "state.json"

    @property
    def log(self) -> Path:
        """What the worker and the supervisor wrote to their streams."""
        return self.path / "log.txt"

    @property
    def lock(self) -> Path:
        """Held by the supervisor and its worker."""
        return self.path / "lock"

    @property
    def checkpoints(self) -> Path:
        """step-N folders, each with a manifest."""
        return self.path / "checkpoints"

    @property
    def adapter(self) -> Path:
        """The result of lora and qlora."""
        return self.path / "adapter"

    @property
    def model(self) -> Path:
        """The result of full."""
        return self.path / "model"

    @property
    def measured(self) -> Path:
        """Predicted against measured."""
        return self.path / "measured.json"

    @property
    def provenance(self) -> Path:
        """What the result was made from."""
        return self.path / "provenance.json"

    @property
    def result(self) -> Path | None:
        """The folder with the trained weights, None while there is none."""
        return next((each for each in (self.adapter, self.model) if each.is_dir()), None)


def check_free(path: Path) -> None:
    """Raise UsageError, with the next free name, when a run folder cannot be new at `path`.

    As well when its name cannot be written in a plan or an event.
    """
    try:
        os.fsencode(path.absolute()).decode()
    except UnicodeDecodeError:
        shown = os.fsencode(path.absolute()).decode(errors="replace")
        raise UsageError(
            f"the run folder {shown} has a name that is not UTF-8", "--out DIR puts it elsewhere"
        ) from None
    if path.exists() or path.is_symlink():
        raise UsageError(
            f"the run folder {path} exists already",
            f"--out {shlex.quote(str(_next_free(path)))} is free",
            f"tlplan resume {shlex.quote(str(path))} goes on with a run that was interrupted",
        )


def create(path: Path, plan_text: str) -> RunFolder:
    """Make the folder of a new run with its plan in it.

    Raises UsageError when `path` exists, OSError when it cannot be written.
    """
    folder = RunFolder(path.absolute())
    try:
        folder.path.mkdir(parents=True)
    except FileExistsError:
        check_free(path)
        raise
    try:
        replace_text(folder.plan, plan_text)
    except OSError:
        folder.path.rmdir()
        raise
    return folder


def default_run_folder(root: Path, model_name: str, method: str) -> Path:
    """The next unused NAME-METHOD-NN below `root`, counting up from 01."""
    last_part = model_name.rstrip("/").rpartition("/")[2]
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", last_part).strip("-.") or "model"
    return _numbered(root, f"{stem}-{method}")


def all_runs(root: Path) -> list[RunFolder]:
    """Every run below `root`, the one that was active last first."""
    runs = [RunFolder(plan.parent.absolute()) for plan in root.glob("*/plan.yaml")]
    return sorted(runs, key=last_active, reverse=True)


def find_run(name: str | None, root: Path = RUNS_ROOT) -> RunFolder:
    """The run of that exact name below `root` or at that path; None is the one active last.

    A name never leads out of `root`: what holds a separator is a path. Raises UsageError with the
    closest names when there is none.
    """
    if name is None:
        runs = all_runs(root)
        if not runs:
            raise UsageError(f"there is no run in {root.absolute()}", "tlplan launch starts one")
        return runs[0]
    is_name = Path(name).name == name
    for path in (root / name, Path(name)) if is_name else (Path(name),):
        if (path / "plan.yaml").is_file():
            return RunFolder(path.absolute())
    names = [run.name for run in all_runs(root)]
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(close)}?" if close else "tlplan runs lists the runs here"
    raise UsageError(f'no run named "{name}" in {root.absolute()}', hint)


def last_active(folder: RunFolder) -> float:
    """Unix time of a run's last sign of life."""
    newest = 0.0
    for file in (folder.plan, folder.state):
        try:
            newest = max(newest, file.stat().st_mtime)
        except FileNotFoundError:
            continue
    return newest


def _next_free(path: Path) -> Path:
    return _numbered(path.parent, re.sub(r"-\d+$", "", path.name))


def _numbered(root: Path, stem: str) -> Path:
    pattern = re.compile(re.escape(stem) + r"-(\d+)")
    taken = [0]
    if root.is_dir():
        matches = (pattern.fullmatch(each.name) for each in root.iterdir())
        taken += [int(match[1]) for match in matches if match]
    return root / f"{stem}-{max(taken) + 1:02d}"
