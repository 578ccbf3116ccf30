"""A data file as the wizard needs it: read and measured for the chosen model."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

from launcher.data.named import data_path
from launcher.data.rows import read_data
from launcher.download_meter import Download
from launcher.errors import DataError, TlplanError
from launcher.planning import facts_of, measured_data
from launcher.typed_path import typed_path
from launcher.wizard.draft import ChosenData
from planner.advice.settings import TASK_OF_LAYOUT
from planner.plan import PlannedModel
from planner.request import Task

_ROWS_SHOWN = 2


class OtherModelNeeded(DataError):
    """The rows are fine, but the chosen model is made for something else."""

    def __init__(self, message: str, *, learns: Task | None) -> None:
        super().__init__(message, "Enter shows the models that learn from such rows")
        self.learns = learns


class NotWanted(Exception):
    """Ends a download whose rows nobody waits for any more."""


def read_chosen(
    argument: str, model: PlannedModel, tell: Callable[[Download], None] | None = None
) -> ChosenData:
    """Read a file, a folder or a data set of the Hub, whose download is told each second.

    Raises DataError that names each bad line, OtherModelNeeded, and what `data_path` does.
    """
    stamp = file_stamp(Path(argument))
    data_path(argument, tell)
    try:
        data, lengths = measured_data(argument, model)
    except TlplanError as failure:
        raise _other_model(argument, model) or failure from None
    return ChosenData(
        argument=argument,
        facts=facts_of(argument, data, lengths),
        lengths=lengths,
        first_rows=tuple(dict(row) for row in islice(data.rows, _ROWS_SHOWN)),
        notes=tuple(data.notes),
        found_as=data.found_as,
        stamp=stamp,
    )


def _other_model(argument: str, model: PlannedModel) -> OtherModelNeeded | None:
    """That the model is what does not suit; None where something is wrong with the rows."""
    try:
        data = read_data(data_path(argument))
    except TlplanError:
        return None
    task = TASK_OF_LAYOUT.get(data.layout)
    shape = model.shape
    able = shape.family.kind == "decoder" if task is None else task in shape.task_heads
    if able:
        return None
    reads = "pictures" if shape.image_tokens is not None else "text"
    for_what = "" if shape.family.kind == "decoder" else " and sorts it into classes"
    return OtherModelNeeded(
        f"{data.path}: {len(data.rows)} rows of {_ROWS[task]}; {model.id} reads {reads}{for_what}",
        learns=task,
    )


_ROWS = {
    "image-classification": "pictures by class",
    "text-classification": "text with a label",
    None: "text to write like",
}


def file_stamp(path: Path) -> tuple[int, int]:
    """Size and time of change, by which another content is noticed; zeros when it is gone."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def completions(text: str, *, most: int = 50) -> tuple[str, ...]:
    """Paths that begin with the text, folders with a slash behind them, data files first."""
    shown, _, begun = text.rpartition("/")
    prefix = f"{shown}/" if "/" in text else ""
    folder = typed_path(prefix or ".")
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: (entry.is_dir(), entry.name))
    except OSError:
        return ()
    found = [
        f"{prefix}{entry.name}{'/' if entry.is_dir() else ''}"
        for entry in entries
        if entry.name.startswith(begun) and (begun.startswith(".") or entry.name[0] != ".")
    ]
    return tuple(found[:most])


def completed(text: str) -> str | None:
    """The text with as much added as all its completions share; None when that is nothing."""
    found = completions(text)
    if not found:
        return None
    shared = found[0]
    for each in found[1:]:
        while not each.startswith(shared):
            shared = shared[:-1]
    return shared if len(shared) > len(text) else None


def is_file(text: str) -> bool:
    """Whether the text names a file or something like one that can be read."""
    try:
        return bool(text) and typed_path(text).is_file()
    except (OSError, ValueError):
        return False
