"""The process that trains: arguments, signals and exit codes around one attempt at a run.

    python -m launcher.training.worker RUN_DIR [--resume-from CHECKPOINT_DIR | --rehearse]

It reads RUN_DIR/plan.yaml, appends to RUN_DIR/events.jsonl and ends with an exit code of
`launcher.exit_codes`. Whatever it prints is for log.txt.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from launcher.crash_report import without_secrets
from launcher.exit_codes import ExitCode
from launcher.runs.disk import full_disk_of
from launcher.runs.events import EventLog
from launcher.runs.folder import RunFolder
from launcher.runs.provenance import record_commit
from launcher.runs.stored_plan import plan_in_force
from launcher.training.environment import (
    prepare_environment,
    require_packages,
    set_up_libraries,
)
from launcher.training.failures import as_tlplan_error
from launcher.training.own_memory import tell_memory
from launcher.training.stopping import StopNow, StopRequest
from planner.run_plan import RunPlan


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, and return the exit code."""
    options = _parsed(arguments)
    stop = StopRequest()
    events = EventLog(RunFolder(options.run).events)
    try:
        stop.listen()
        try:
            _attempt(options, events, stop)
        finally:
            # A request while it is ending anyway must not tear its last words.
            stop.ignore()
    except StopNow:
        with suppress(OSError):
            events.append("phase", phase="interrupted")
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001  whatever it was, the run folder must say so
        try:
            return _end_of(error, options.run, events, stop)
        except MemoryError:  # not even room to say so; the exit code needs none
            return ExitCode.OUT_OF_MEMORY
    return ExitCode.DONE


def _end_of(error: Exception, run: Path, events: EventLog, stop: StopRequest) -> int:
    with suppress(OSError, MemoryError):  # neither must hide which failure it was
        sys.stderr.write(without_secrets(traceback.format_exc()))
    if stop.requested:
        # A request in the middle of an import surfaces as whatever the import makes of it.
        return ExitCode.INTERRUPTED
    # What its frames hold is the room that its last words may need.
    traceback.clear_frames(error.__traceback__)
    return _report(error, events, run)


def _attempt(options: argparse.Namespace, events: EventLog, stop: StopRequest) -> None:
    run: Path = options.run
    folder = RunFolder(run)
    plan = plan_in_force(folder)
    prepare_environment(plan)
    require_packages(plan)
    _download(plan, folder, events, stop)
    plan = plan_in_force(folder)
    set_up_libraries(plan)
    from launcher.training.trial import try_quantized_kernels  # torch

    try_quantized_kernels(plan)
    # Imports torch, transformers, peft and trl: some ten seconds.
    if options.rehearse:
        from launcher.training.rehearsal import rehearse

        rehearse(plan, run, events=events, stop=stop)
        return
    from launcher.training.run import train

    train(plan, run, events=events, stop=stop, resume_from=options.resume_from)


def _download(plan: RunPlan, folder: RunFolder, events: EventLog, stop: StopRequest) -> None:
    """Fetch a Hub model and hold the run to its commit; afterwards the Hub is not asked again."""
    from launcher.hub import download_model, go_offline

    if plan.model.folder is None and plan.model.hub_id is not None:
        events.append("phase", phase="downloading")
        with stop.leaving_threads():
            commit = download_model(
                plan.model.hub_id,
                plan.model.revision,
                lambda so_far: events.append("download", **asdict(so_far)),
                code=plan.model.trust_remote_code,
            )
        record_commit(folder, commit)
    go_offline()


def _report(error: Exception, events: EventLog, run: Path) -> int:
    failure = full_disk_of(run, as_tlplan_error(error))
    with suppress(OSError):
        with suppress(MemoryError):
            tell_memory(events)
        events.append(
            "setback",
            code=int(failure.code),
            reason=without_secrets(failure.message),
            hints=[without_secrets(hint) for hint in failure.hints],
        )
    return failure.code


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m launcher.training.worker")
    parser.add_argument("run", type=Path, metavar="RUN_DIR")
    parser.add_argument("--resume-from", type=Path, metavar="CHECKPOINT_DIR")
    parser.add_argument("--rehearse", action="store_true")
    options = parser.parse_args(arguments)
    options.run = options.run.resolve()
    return options


if __name__ == "__main__":
    sys.exit(main())
