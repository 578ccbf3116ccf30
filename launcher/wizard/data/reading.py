"""A data file as the wizard needs it: read and measured for the chosen model."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from launcher.planning import facts_of, measured_data
from launcher.wizard.draft import ChosenData
from planner.plan import PlannedModel

_ROWS_SHOWN = 2


def read_chosen(argument: str, model: PlannedModel) -> ChosenData:
    """Read a file. Raises DataError that names each bad line."""
    stamp = file_stamp(Path(argument))
    data, lengths = measured_data(argument, model)
    return ChosenData(
        argument=argument,
        facts=facts_of(argument, data, lengths),
        lengths=lengths,
        first_rows=tuple(dict(row) for row in islice(data.rows, _ROWS_SHOWN)),
        notes=tuple(data.notes),
        found_as=data.found_as,
        stamp=stamp,
    )


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
    folder = Path(prefix or ".").expanduser()
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
        return bool(text) and Path(text).expanduser().is_file()
    except (OSError, ValueError):
        return False
