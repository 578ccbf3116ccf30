"""`tlplan stop`: ask a run to save and end, and wait until it has."""

from __future__ import annotations

import argparse
import sys
import time

from launcher.errors import UsageError
from launcher.exit_codes import ExitCode
from launcher.runs.checkpoints import list_checkpoints, step_of
from launcher.runs.folder import RunFolder, find_run
from launcher.runs.state import liveness, read_state
from launcher.view.stopping import send_stop

HELP = "save and stop a run"
POLL_SECONDS = 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run."""
    parser.add_argument("run", metavar="RUN", help="name or folder of the run")


def run(arguments: argparse.Namespace) -> int:
    """Stop it; raises UsageError when it is not running."""
    folder = find_run(arguments.run)
    refuse_unless_running(folder)
    state = read_state(folder)
    again = state is not None and state.phase == "stopping"
    how = "at once" if again else "after this step and saving"
    sys.stdout.write(f"stopping {folder.name} {how}\n")
    sys.stdout.flush()
    send_stop(folder, at_once=again)
    while liveness(folder) == "running":
        time.sleep(POLL_SECONDS)
    sys.stdout.write(_outcome(folder) + "\n")
    return ExitCode.DONE


def refuse_unless_running(folder: RunFolder) -> None:
    """Raise UsageError that says how the run ended, or where it goes on."""
    now = liveness(folder)
    if now != "running":
        way_on = f"tlplan watch {folder.typed} shows what came of it"
        if now == "lost":
            way_on = f"tlplan resume {folder.typed} goes on from the last checkpoint"
        raise UsageError(f"{folder.name} is not running: {now}", way_on)
    state = read_state(folder)
    if state is not None and not state.supervisor().here:
        raise UsageError(
            f"{folder.name} runs on {state.host}, and only there it can be stopped",
            f"ssh {state.host} tlplan stop {folder.path}",
        )


def _outcome(folder: RunFolder) -> str:
    state = read_state(folder)
    if state is None or state.exit_code is None:
        return f"{folder.name} is gone; tlplan resume {folder.typed} goes on"
    if state.exit_code == ExitCode.DONE:
        return f"{folder.name} had finished before it could be stopped"
    kept = next((step_of(each) for each in list_checkpoints(folder.path)), 0)
    # A worker that was killed may have been further than what was saved.
    where = "" if kept == state.step else f" from step {kept}"
    return f"stopped at step {state.step}; tlplan resume {folder.typed} goes on{where}"
