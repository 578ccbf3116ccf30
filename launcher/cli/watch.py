"""`tlplan watch`: look at a run, live or long finished."""

from __future__ import annotations

import argparse

from launcher.runs.folder import find_run
from launcher.view.attend import ViewOptions, attend

HELP = "look at a run, live or finished"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, and how."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="name or folder; default: the newest")
    parser.add_argument("--json", action="store_true", help="the events, one JSON line each")


def run(arguments: argparse.Namespace) -> int:
    """Show it; exit code of a run that has ended, 0 when the view is left before."""
    return attend(find_run(arguments.run), ViewOptions(json=arguments.json), may_stop=False)
