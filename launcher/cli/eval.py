"""`tlplan eval`: did it help? Base, base with examples and tuned on held-out rows."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from launcher import stderr
from launcher.cli.command_line import Parser, whole_number
from launcher.cli.gate import gate_code
from launcher.data.named import data_path
from launcher.evaluation.client import EvaluationProcess
from launcher.evaluation.text import evidence_lines, read_report
from launcher.exit_codes import ExitCode
from launcher.output.check_json import json_text
from launcher.runs.folder import find_run

HELP = "did it help? base, base with examples and tuned, with intervals"


def add_arguments(parser: Parser) -> None:
    """The run, and what to measure on."""
    parser.usage = "tlplan eval [RUN] [--data FILE] [--gate] [options]"
    parser.add_argument("run", metavar="RUN", nargs="?", help="name or folder; default: the newest")
    parser.add_argument("--data", metavar="FILE", help="measure on these rows, not the held-out")
    parser.add_argument(
        "--rows", metavar="N", type=whole_number("--rows", least=1), help="at most so many rows"
    )
    parser.add_argument(
        "--again", action="store_true", help="measure again, do not read what the run left"
    )
    parser.add_argument(
        "--gate", action="store_true", help="exit code 10 unless tuned is the better one"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")


def run(arguments: argparse.Namespace) -> int:
    """Show what the run left, or measure."""
    folder = find_run(arguments.run).path
    fresh = arguments.again or arguments.data is not None or arguments.rows is not None
    report = None if fresh else read_report(folder)
    if report is None or "verdict" not in report:
        report = _measured(folder, arguments)
    if arguments.json:
        sys.stdout.write(json_text(report))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in evidence_lines(report)))
    return gate_code(report) if arguments.gate else ExitCode.DONE


def _measured(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    stderr.note("loading the models and asking them; minutes on a CPU")
    options = []
    if arguments.data is not None:
        options += ["--data", str(data_path(arguments.data).absolute())]
    if arguments.rows is not None:
        options += ["--rows", str(arguments.rows)]
    with EvaluationProcess("eval", folder, options) as process:
        report = process.answer()
    left_out = report["learned_rows_left_out"]
    if left_out:
        rows = "1 row was" if left_out == 1 else f"{left_out} rows were"
        stderr.warning(f"{rows} learned from and left out: right answers there prove nothing")
    return report
