"""`tlplan verify`: whether every byte of a run's checkpoints is as it was written."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from launcher.cli.command_line import Parser
from launcher.exit_codes import ExitCode
from launcher.output.check_json import json_text
from launcher.runs.checkpoints import list_checkpoints, verify
from launcher.runs.folder import find_run

HELP = "check every byte of a run's checkpoints against their manifests"


def add_arguments(parser: Parser) -> None:
    """The run."""
    parser.add_argument("run", metavar="RUN", nargs="?", help="name or folder; default: the newest")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")


def run(arguments: argparse.Namespace) -> int:
    """List the checkpoints, newest first; exit code 1 when one is broken."""
    folder = find_run(arguments.run)
    problems = {path: verify(path) for path in list_checkpoints(folder.path)}
    if arguments.json:
        sys.stdout.write(json_text(_document(folder.name, problems)))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _lines(folder.name, problems)))
    return ExitCode.BUG if any(problems.values()) else ExitCode.DONE


def _document(name: str, problems: dict[Path, list[str]]) -> dict[str, object]:
    return {
        "schema_version": 1,
        "run": name,
        "checkpoints": [
            {"path": str(path), "intact": not found, "problems": found}
            for path, found in problems.items()
        ],
    }


def _lines(name: str, problems: dict[Path, list[str]]) -> list[str]:
    if not problems:
        return [f"{name} has no checkpoint yet"]
    lines = []
    for path, found in problems.items():
        lines.append(f"{path.name:12}{'broken' if found else 'intact'}")
        lines += [f"  {problem}" for problem in found]
    return lines
