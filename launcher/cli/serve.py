"""`tlplan serve`: the wizard in a browser of this machine."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.util import find_spec

from launcher.cli.command_line import Parser, whole_number
from launcher.errors import MissingHere, UsageError
from launcher.exit_codes import ExitCode

HELP = "the wizard in a browser of this machine"


def add_arguments(parser: Parser) -> None:
    """Where it listens."""
    parser.add_argument(
        "--port",
        metavar="N",
        type=whole_number("--port", least=0),
        default=0,
        help="port on 127.0.0.1; any free one otherwise",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C. Raises MissingHere without the extra, UsageError for a taken port."""
    if find_spec("textual_serve") is None:
        raise MissingHere("serving needs textual-serve", "pip install 'tlplan[serve]'")
    from launcher.runs.worker_environment import python_path
    from launcher.wizard.serving.server import WizardServer, free_port  # about 300 ms

    try:
        port = free_port(arguments.port)
    except (OSError, OverflowError) as problem:
        raise UsageError(
            f"port {arguments.port} cannot be used: {problem}", "leave --port out to take any"
        ) from None
    os.environ["PYTHONPATH"] = python_path()  # for the wizards it starts
    WizardServer(port, announce=_announce).serve()
    return ExitCode.DONE


def _announce(address: str) -> None:
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()
    from launcher import stderr

    stderr.note("for this machine and who knows the address; Ctrl-C ends it, runs go on")
