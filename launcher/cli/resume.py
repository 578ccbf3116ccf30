"""`tlplan resume`: go on with a run from its newest checkpoint that is whole."""

from __future__ import annotations

import argparse
import time

from launcher import stderr
from launcher.cli.launch import LaunchOptions, add_grace, say_detached
from launcher.errors import UsageError
from launcher.exit_codes import ExitCode
from launcher.runs.folder import RunFolder, find_run
from launcher.runs.lock import is_being_saved
from launcher.runs.provenance import refuse_changes_since, versions_before
from launcher.runs.starting import start_run
from launcher.runs.state import liveness, read_state
from launcher.runs.stored_plan import plan_in_force
from launcher.runs.supervisor import Supervision
from launcher.runs.versions import installed_versions, refuse_changes
from launcher.view.attend import ViewOptions, attend
from launcher.view.interrupts import Interrupts

HELP = "go on with a run that was interrupted"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, and how it is shown."""
    parser.add_argument("run", metavar="RUN", help="name or folder of the run")
    parser.add_argument("--detach", action="store_true", help="start it and return at once")
    parser.add_argument("--json", action="store_true", help="the events, one JSON line each")
    parser.add_argument(
        "--force", action="store_true", help="go on even if versions of packages have changed"
    )
    add_grace(parser)


def run(arguments: argparse.Namespace) -> int:
    """Resume it and stay to watch."""
    options = LaunchOptions(
        detach=arguments.detach,
        json=arguments.json,
        supervision=Supervision(grace_seconds=arguments.grace),
    )
    return resume_run(find_run(arguments.run), options, force=arguments.force)


def resume_run(folder: RunFolder, options: LaunchOptions, *, force: bool = False) -> ExitCode:
    """Go on with a run and return its exit code, 0 when it was only started.

    Raises what `refuse_unless_resumable` does.
    """
    refuse_unless_resumable(folder, force=force)
    _wait_for_save(folder, options.supervision.grace_seconds)
    before = read_state(folder)
    attempt = before.attempt + 1 if before else 1
    # From here on Ctrl-C is meant for the run, also while nobody watches it yet.
    with Interrupts() as interrupts:
        pid = start_run(folder, resume=True, settings=options.supervision)
        if options.detach and not interrupts.count:
            say_detached(folder, pid, options)
            return ExitCode.DONE
        view = ViewOptions(json=options.json, quiet=options.quiet)
        return attend(folder, view, may_stop=True, from_attempt=attempt, interrupts=interrupts)


def _wait_for_save(folder: RunFolder, seconds: float) -> None:
    """A worker whose supervisor was killed saves first; that takes a step, as a rule."""
    deadline = time.monotonic() + seconds
    if is_being_saved(folder.lock):
        stderr.note(f"waiting for the worker of {folder.name}, which saves what it has")
        while is_being_saved(folder.lock) and time.monotonic() < deadline:
            time.sleep(0.1)


def refuse_unless_resumable(folder: RunFolder, *, force: bool = False) -> None:
    """Raise UsageError for a run that goes on or is done, and what `refuse_changes_since` does.

    MissingHere for one begun elsewhere: with other versions of what trains; `force` takes those
    that are here.
    """
    now = liveness(folder)
    if now == "running":
        raise UsageError(f"{folder.name} is running", f"tlplan watch {folder.typed}")
    if now == "finished":
        raise UsageError(
            f"{folder.name} is finished: nothing is left to do", f"tlplan watch {folder.typed}"
        )
    plan = plan_in_force(folder)
    refuse_changes_since(folder, plan)
    if not force:
        refuse_changes(versions_before(folder), installed_versions(), plan, name=folder.typed)
