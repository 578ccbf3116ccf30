"""`tlplan watch`: look at a run, live or long finished."""

from __future__ import annotations

import argparse
from pathlib import Path

from launcher.runs.folder import RunFolder, find_run
from launcher.view.attend import ViewOptions, attend

HELP = "look at a run, live or finished"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, and how."""
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="name, folder or events.jsonl; default: the newest"
    )
    parser.add_argument("--json", action="store_true", help="the events, one JSON line each")


def run(arguments: argparse.Namespace) -> int:
    """Show it; exit code of a run that has ended, 0 when the view is left before."""
    folder = run_to_watch(arguments.run)
    return attend(folder, ViewOptions(json=arguments.json), may_stop=False)


def run_to_watch(name: str | None) -> RunFolder:
    """The run of that name, or the events that were copied here; raises UsageError."""
    if name is not None:
        path = Path(name)
        events = path if path.name == "events.jsonl" else path / "events.jsonl"
        if events.is_file():
            return RunFolder(events.parent.absolute())
    return find_run(name)
