"""Where a monkey is let loose: a folder with files, a machine, and a program with its words."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from launcher.cache import cache_folder
from launcher.runs.events import read_events
from launcher.runs.folder import RunFolder
from tests.fake_nvml import (
    change_machine,
    fake_driver_environment,
    machines,
    no_driver_environment,
)
from tests.launcher.run_samples import wait_until

REPOSITORY = Path(__file__).parents[2]
RECORDINGS = REPOSITORY / "tests" / "recordings"
RUNNING = "a-lora-01"
_PROGRAM = (sys.executable, "-m", "tests.monkey.program")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One program and what surrounds it."""

    words: tuple[str, ...]
    folder: Path
    told: Mapping[str, str]
    codes: frozenset[int]
    """What it may end with when it is left."""
    steps: tuple[tuple[bytes, bytes], ...] = ()
    """What to look for, and then type, so that the later screens are reached too."""
    harm: tuple[Callable[[random.Random], None], ...] = field(default=())
    """What may happen around it meanwhile."""


def end_runs(folder: Path) -> None:
    """End what was started in a folder."""
    for lock in folder.glob("runs/*/state.json"):
        with suppress(OSError, ValueError, KeyError):
            (lock.parent / "go").touch()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes()
            if str(folder).encode() in words or (process / "cwd").readlink() == folder:
                os.kill(int(process.name), signal.SIGKILL)


def wizard(folder: Path, draw: random.Random) -> Scene:
    """The wizard on one of many machines, with files to find."""
    machine = draw.choice((None, None, machines.RTX_4090_DESKTOP, machines.TWO_UNEQUAL_3090S,
                           machines.H100_AND_A100_WITH_MIG, machines.GB10,
                           machines.DRIVER_NOT_LOADED))  # fmt: skip
    driver = no_driver_environment() if machine is None else fake_driver_environment(machine)
    chats(folder / "train.jsonl", draw.choice((12, 60, 400)))
    (folder / "rows.csv").write_text("text,label\n" + "some words,a\nother words,b\n" * 30)
    (folder / "bad.jsonl").write_text('{"messages": []}\n{"prompt": 1}\nnothing\n' * 9)
    (folder / "plan.yaml").write_text("version: 1\n")
    whole = cache_folder() / "models" / "smollm2-135m-instruct-2-layers"
    if whole.is_dir() and draw.random() < 0.5:
        (folder / "tiny").symlink_to(whole)
    else:
        shutil.copytree(RECORDINGS / "model", folder / "tiny")
    model, data = draw.choice((
        (b"./tiny", b"train.jsonl"), (b"./tiny", b"train.jsonl"), (b"smollm2-135m", b"train"),
        (b"llama-3.1-8b", b"rows.csv"), (b"qwen", b"bad.jsonl"),
    ))  # fmt: skip
    steps = (
        (b"Which GPU|No NVIDIA|plan for this", b"\r"),
        (b"Which model", model + b"\r"),
        (b"Enter goes on|learn from", b"\r"),
        (b"learn from", data + b"\t"),
        (b"fine-tune", b"\r"),
        (b"How should", b"\r"),
        (b"Ready to|read just now", b"\r"),
        (b"predicted", b""),
    )
    return Scene(
        words=_PROGRAM,
        folder=folder,
        told=surroundings(folder, driver) | {"FAKE_WORKER": '{"steps": 6, "hold_after": 3}'},
        codes=frozenset({0, 1, 75, 130}),
        steps=steps[: draw.randint(0, len(steps))],
        harm=(
            lambda _: _gone(folder / "train.jsonl"),
            lambda _: _gone(folder / "tiny"),
            lambda _: _garbage(folder / "train.jsonl"),
            lambda _: chats(folder / "train.jsonl", 100),
            lambda d: _change(driver, d) if machine is not None else None,
        ),
    )


def watching_an_end(folder: Path, draw: random.Random) -> Scene:
    """A run that has ended, well or not."""
    name = draw.choice(
        ("demo-lora-01", "diverged", "gpu-lost", "interrupted", "lost", "out-of-memory")
    )
    shutil.copytree(RECORDINGS, folder / "runs")
    shutil.move(folder / "runs" / "model", folder / "model")
    path = folder / "runs" / name
    for event in read_events(path / "events.jsonl"):
        if event["type"] == "checkpoint":
            (path / event["path"]).mkdir(parents=True, exist_ok=True)
    (path / "log.txt").write_text("a line of the worker\n" * draw.choice((0, 3, 5000)))
    driver = fake_driver_environment(machines.RTX_4090_DESKTOP)
    return Scene(
        words=(*_PROGRAM, "watch", name),
        folder=folder,
        told=surroundings(folder, driver) | {"FAKE_WORKER": "{}"},
        codes=frozenset({0, 1, 2, 5, 7, 9, 75, 130}),
        harm=_harm_to_a_run(path),
    )


def watching(folder: Path, draw: random.Random) -> Scene:
    """A run that goes on."""
    told = surroundings(folder, no_driver_environment())
    behaviour = draw.choice((
        {"hold_after": 2}, {"hold_after": 4, "steps": 90}, {"hold_after": 2, "ends_with": 1},
        {"hold_after": 3, "ignores_sigterm": True},
    ))  # fmt: skip
    told |= {"FAKE_WORKER": json.dumps(behaviour)}
    path = folder / "runs" / RUNNING
    subprocess.run(
        [sys.executable, "-m", "tests.launcher.cli.launching", str(path), "detach", "yes"],
        cwd=folder, env=told, check=True, capture_output=True,
    )  # fmt: skip
    wait_until((path / "holding").exists, seconds=60)
    return Scene(
        words=(*_PROGRAM, "watch", RUNNING),
        folder=folder,
        told=told,
        codes=frozenset({0, 1, 2, 75, 130}),
        harm=(*_harm_to_a_run(path), lambda _: _touch(path / "go"), lambda _: _kill(path)),
    )


def launching(folder: Path, draw: random.Random) -> Scene:
    """A launch that stays to show its run."""
    told = surroundings(folder, no_driver_environment())
    behaviour = draw.choice(({"hold_after": 2}, {"steps": 3}, {"ends_with": 1, "steps": 2}))
    path = folder / "runs" / RUNNING
    return Scene(
        words=(sys.executable, "-m", "tests.launcher.cli.launching", str(path), "yes"),
        folder=folder,
        told=told | {"FAKE_WORKER": json.dumps(behaviour)},
        codes=frozenset({0, 1, 75, 130}),
        harm=(lambda _: _touch(path / "go"), lambda _: _kill(path)),
    )


SCENES = {
    "wizard": wizard,
    "watch an end": watching_an_end,
    "watch a run": watching,
    "launch": launching,
}


def surroundings(folder: Path, driver: Mapping[str, str]) -> dict[str, str]:
    """Variables of a person at a terminal whose own files are in the folder."""
    own = folder / "home"
    own.mkdir(exist_ok=True)
    dropped = ("COLUMNS", "LINES", "NO_COLOR", "TMUX", "COLORTERM", "HF_TOKEN", "LC_ALL")
    return {name: text for name, text in driver.items() if name not in dropped} | {
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONFAULTHANDLER": "1",
        "HF_HUB_OFFLINE": "1",
        "HOME": str(own),
        "XDG_STATE_HOME": str(own / "state"),
        "XDG_DATA_HOME": str(own / "data"),
        "XDG_CACHE_HOME": str(own / "cache"),
        "XDG_CONFIG_HOME": str(own / "config"),
    }


def reports(folder: Path) -> list[str]:
    """What bugs left behind."""
    return [each.read_text() for each in (folder / "home").rglob("report-*.txt")]


def chats(path: Path, rows: int) -> None:
    """A file of short chats."""
    lines = [_row(number) for number in range(rows)]
    path.write_text("\n".join(lines) + "\n")


@cache
def _row(number: int) -> str:
    asked = {"role": "user", "content": f"Where is order {number}?"}
    answer = {"role": "assistant", "content": "parcel " * (1 + number % 40)}
    return json.dumps({"messages": [asked, answer]})


def _harm_to_a_run(path: Path) -> tuple[Callable[[random.Random], None], ...]:
    def broken_line(_draw: random.Random) -> None:
        with suppress(OSError), (path / "events.jsonl").open("ab") as events:
            events.write(b'{"type": "step", "loss": \n\xff\xfe\nnull\n[]\n{"type": "step"}\n')

    def cut(_draw: random.Random) -> None:
        with suppress(OSError):
            os.truncate(path / "events.jsonl", 700)

    return (
        broken_line,
        cut,
        lambda _: _gone(path / "events.jsonl"),
        lambda _: _gone(path / "log.txt"),
        lambda _: _gone(path / "state.json"),
        lambda _: _gone(path),
    )


def _change(driver: dict[str, str], draw: random.Random) -> None:
    change_machine(driver, draw.choice((
        machines.RTX_4090_DESKTOP, machines.NO_GPU_IN_DRIVER, machines.TWO_UNEQUAL_3090S,
        machines.DRIVER_LIBRARY_MISMATCH, machines.GB10 + "gpu.0.error=15\n",
    )))  # fmt: skip


def _gone(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _garbage(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00garbage")


def _touch(path: Path) -> None:
    with suppress(OSError):
        path.touch()


def _kill(path: Path) -> None:
    from launcher.runs.state import read_state

    state = read_state(RunFolder(path))
    if state is not None and state.worker_pid:
        with suppress(OSError):
            os.kill(state.worker_pid, signal.SIGKILL)
