"""What a launch would check, one line each, before anything is made."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, NamedTuple

from launcher.errors import MissingHere, NoAccess, NoDisk, TlplanError
from launcher.output.numbers import gib
from launcher.preflight import check_launch
from launcher.settling import ReadyPlan
from launcher.wizard.model.used import is_downloaded

_SHOWN = ("torch", "transformers", "peft")


class Check(NamedTuple):
    """One line of the list."""

    state: Literal["good", "note", "bad"]
    text: str
    hints: tuple[str, ...] = ()
    elsewhere: bool = False
    """Whether a bad one is about this machine, so that the plan is good on another."""


def checks(ready: ReadyPlan) -> Iterator[Check]:
    """Everything a launch asks for; the first bad one ends it, as it ends a launch."""
    run_plan = ready.run_plan
    try:
        needed_bytes = check_launch(run_plan, force=False)
    except TlplanError as failure:
        elsewhere = isinstance(failure, MissingHere | NoAccess)
        yield Check("bad", failure.message, failure.hints, elsewhere)
        return
    yield Check("good", _versions())
    place = "the CPU" if run_plan.hardware.device == "cpu" else run_plan.hardware.gpu or "the GPU"
    yield Check("good", f"data, model files and the free memory of {place}, read just now")
    if ready.answer.verdict.fits == "tight":
        yield Check("note", "tight: it may run out of memory if the estimate is low")
    yield from _disk(ready, needed_bytes)


def _disk(ready: ReadyPlan, needed_bytes: int) -> Iterator[Check]:
    folder = Path(ready.run_plan.output.folder)
    existing = next(each for each in folder.absolute().parents if each.is_dir())
    free_bytes = shutil.disk_usage(existing).free
    hub_id = ready.run_plan.model.hub_id
    to_come = ""
    if ready.run_plan.model.folder is None and hub_id and not is_downloaded(hub_id):
        size = gib(2 * ready.answer.shape.parameters)
        to_come = f"weights not here yet: about {size} GiB to download, "
    told = f"{to_come}{gib(needed_bytes)} GiB for checkpoints and result, {gib(free_bytes)} free"
    if needed_bytes > free_bytes:
        failure = NoDisk(told)
        yield Check("bad", f"not enough disk: {failure.message}", (), elsewhere=True)
    else:
        yield Check("note" if to_come else "good", told)


def _versions() -> str:
    found = []
    for name in _SHOWN:
        try:
            found.append(f"{name} {version(name).partition('+')[0]}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
