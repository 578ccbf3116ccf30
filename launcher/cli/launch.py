"""`tlplan launch`: make a run folder from a plan, start it, and stay to watch."""

from __future__ import annotations

import argparse
import errno
import json
import shutil
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from launcher import stderr
from launcher.advising import tell_advice
from launcher.cli.command_line import Parser, positive_number
from launcher.cli.gate import gate_code
from launcher.errors import NoDisk, UsageError
from launcher.evaluation.text import read_report
from launcher.exit_codes import ExitCode
from launcher.output.ways_text import ways_document
from launcher.planned_time import is_worth_rehearsing
from launcher.planning import add_planning_options, plan_from_arguments
from launcher.preflight import check_launch
from launcher.runs.folder import RunFolder, check_free, create
from launcher.runs.starting import start_run
from launcher.runs.stored_plan import read_plan
from launcher.runs.supervisor import GRACE_SECONDS, Rehearse, Supervision
from launcher.settling import ready_plan
from launcher.view.attend import ViewOptions, attend
from launcher.view.interrupts import Interrupts
from launcher.view.result import shown_path
from launcher.view.words import file_size, gib
from planner.advice.should_you import Advice
from planner.run_plan import HardwareSection, OutputSection, RunPlan

HELP = "train: carry out a plan and watch it"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchOptions:
    """How a plan is carried out; what it says is not changed by any of these."""

    detach: bool = False
    """Start it and return at once."""
    dry_run: bool = False
    """Check everything, show the plan, touch nothing."""
    yes: bool = False
    """Do not ask when the fit is tight."""
    json: bool = False
    quiet: bool = False
    rehearse: Rehearse | None = None
    """None: when the plan takes longer than ten minutes."""
    needed_disk_bytes: int = 0
    """What checkpoints and the result will take."""
    advice: Advice | None = None
    """What a dry run tells of the ways to go, where the plan was made just now."""
    supervision: Supervision = field(default_factory=Supervision)


def add_arguments(parser: Parser) -> None:
    """A plan file, or the options that make one; and how it is launched."""
    parser.usage = "tlplan launch PLAN.yaml | --model NAME --data FILE [options]"
    parser.add_argument("plan", metavar="PLAN.yaml", nargs="?", help="a file from tlplan plan")
    add_planning_options(parser)
    launching = parser.add_argument_group("launching")
    add_launch_arguments(launching)
    launching.add_argument(
        "--out", metavar="DIR", help="run folder; runs/MODEL-METHOD-NN otherwise"
    )
    launching.add_argument("--force", action="store_true", help="start even if nothing fits")
    launching.add_argument(
        "--gate", action="store_true", help="exit code 10 unless the result beats the base model"
    )
    launching.add_argument("--json", action="store_true", help="the events, one JSON line each")
    add_grace(launching)


def run(arguments: argparse.Namespace) -> int:
    """Plan or read the plan, check that it can run here, and carry it out."""
    advice = None
    if arguments.plan:
        text, run_plan = _from_file(arguments)
    else:
        text, run_plan, advice = _from_options(arguments)
    if arguments.gate and (arguments.detach or not run_plan.evaluation.answer_rows):
        raise UsageError(
            "--gate needs a run that is waited for and rows that are held out",
            "leave --detach out; set answer_rows above 0 in section evaluation of the plan",
        )
    needed = check_launch(run_plan, force=arguments.force)
    options = replace(launch_options(arguments, needed_disk_bytes=needed), advice=advice)
    code = launch_run(text, run_plan, options)
    if code == ExitCode.DONE and arguments.gate and not arguments.dry_run:
        return gate_code(read_report(Path(run_plan.output.folder)))
    return code


def _from_options(arguments: argparse.Namespace) -> tuple[str, RunPlan, Advice | None]:
    plan = plan_from_arguments(arguments, to_run=True)
    for found in plan.warnings:
        stderr.warning(found.text)
    advice = tell_advice(plan)
    if plan.budget is not None and plan.budget.source == "simulated":
        raise UsageError(
            f"{plan.budget.name} is simulated: nothing can run on it",
            "leave --gpu out to launch on this machine",
        )
    ready = ready_plan(plan, out=arguments.out, force=arguments.force)
    return ready.text, ready.run_plan, advice


def _from_file(arguments: argparse.Namespace) -> tuple[str, RunPlan]:
    _refuse_both(arguments)
    text, run_plan = read_plan(arguments.plan)
    if arguments.out is None:
        return text, run_plan
    from planner.plan_file import plan_file_text  # yaml: about 20 ms

    moved = replace(run_plan, output=OutputSection(folder=str(Path(arguments.out).absolute())))
    return plan_file_text(moved, {}), moved


def _refuse_both(arguments: argparse.Namespace) -> None:
    """A plan file says everything; an option beside it would be ignored or contradict it."""
    given = [name for name in _SAID_BY_PLAN if getattr(arguments, name) not in (None, [], False)]
    if given:
        option = "--" + given[0].replace("_", "-")
        raise UsageError(
            f"{option} cannot go with a plan file, which says it already",
            f"change it in {arguments.plan}",
        )


_SAID_BY_PLAN = (
    *(
        "model",
        "data",
        "held_out",
        "gpu",
        "method",
        "train_last",
        "task",
        "rank",
        "targets",
        "seq",
        "batch",
    ),
    *("accumulate", "optimizer", "weights", "checkpointing", "attention", "loss", "packing"),
    *("epochs", "max_steps", "learning_rate", "seed", "trace"),
)


def add_grace(parser: argparse._ActionsContainer) -> None:
    """How long a run that is asked to stop may take."""
    parser.add_argument(
        "--grace",
        type=positive_number("--grace"),
        default=GRACE_SECONDS,
        metavar="SECONDS",
        help=f"for the step it is in and a save, when asked to stop; {GRACE_SECONDS:.0f} otherwise",
    )


def add_launch_arguments(parser: argparse._ArgumentGroup) -> None:
    """The options of launching itself; what is planned has its own."""
    parser.add_argument("--detach", action="store_true", help="start it and return at once")
    parser.add_argument("--dry-run", action="store_true", help="show the plan, touch nothing")
    parser.add_argument(
        "--rehearse",
        choices=get_args(Rehearse),
        help="first run it in small; default: yes if it takes more than ten minutes",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask when the fit is tight")
    parser.add_argument("--quiet", action="store_true", help="print only how it ended")


def launch_options(arguments: argparse.Namespace, *, needed_disk_bytes: int) -> LaunchOptions:
    """What was asked for with those options and --json."""
    return LaunchOptions(
        detach=arguments.detach,
        dry_run=arguments.dry_run,
        yes=arguments.yes,
        rehearse=arguments.rehearse,
        json=arguments.json,
        quiet=arguments.quiet,
        needed_disk_bytes=needed_disk_bytes,
        supervision=Supervision(grace_seconds=arguments.grace),
    )


def launch_run(plan_text: str, run_plan: RunPlan, options: LaunchOptions) -> ExitCode:
    """Carry out a plan and return the exit code of the run, 0 when it was only started.

    Raises UsageError when the run folder exists, NoDisk when the disk is too full; then
    nothing was made.
    """
    path = Path(run_plan.output.folder)
    check_free(path)
    _check_disk(path, options.needed_disk_bytes)
    if options.dry_run:
        _show_plan(plan_text, path, options)
        return ExitCode.DONE
    if not _tight_is_fine(run_plan.hardware, options):
        return ExitCode.DONE
    # From here on Ctrl-C is meant for the run, also while nobody watches it yet.
    with Interrupts() as interrupts:
        folder = _create(path, plan_text)
        pid = start_run(folder, settings=_supervision(run_plan, options))
        if options.detach and not interrupts.count:
            say_detached(folder, pid, options)
            return ExitCode.DONE
        view = ViewOptions(json=options.json, quiet=options.quiet)
        return attend(folder, view, may_stop=True, interrupts=interrupts)


def _supervision(run_plan: RunPlan, options: LaunchOptions) -> Supervision:
    rehearse = options.rehearse
    if rehearse is None:
        rehearse = "yes" if is_worth_rehearsing(run_plan) else "no"
    return replace(options.supervision, rehearse=rehearse)


def say_detached(folder: RunFolder, pid: int, options: LaunchOptions) -> None:
    """Say where the run is and how to see it."""
    if options.json:
        told = {"schema_version": 1, "run": folder.name, "folder": str(folder.path), "pid": pid}
        sys.stdout.write(json.dumps(told) + "\n")
        return
    sys.stdout.write(f"run {shown_path(folder.path)}\ntlplan watch {folder.typed}\n")


def _show_plan(plan_text: str, path: Path, options: LaunchOptions) -> None:
    if options.json:
        told: dict[str, Any] = {"schema_version": 1, "folder": str(path), "plan": plan_text}
        if options.advice is not None:
            told["advice"] = ways_document(options.advice)
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        return
    sys.stdout.write(plan_text)
    stderr.note(f"nothing was started; the run folder would be {shown_path(path)}")


def _check_disk(path: Path, needed_bytes: int) -> None:
    existing = next(each for each in path.absolute().parents if each.is_dir())
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes < needed_bytes:
        raise NoDisk(
            f"{shown_path(path)} needs {file_size(needed_bytes)} for checkpoints and the result, "
            f"{file_size(free_bytes)} are free",
            "--out DIR puts the run on another disk",
        )


def _create(path: Path, plan_text: str) -> RunFolder:
    try:
        return create(path, plan_text)
    except OSError as problem:
        reason = f"{shown_path(path)} cannot be made: {problem.strerror}"
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoDisk(reason, "--out DIR puts the run on another disk") from problem
        raise UsageError(reason, "--out DIR puts the run elsewhere") from problem


def _tight_is_fine(hardware: HardwareSection, options: LaunchOptions) -> bool:
    """Ask a person whose plan may not fit; warn where nobody can be asked."""
    available_bytes = hardware.available_bytes
    if available_bytes is None or hardware.predicted_high_bytes <= available_bytes:
        return True
    tight = (
        f"this may run out of memory: it needs {gib(hardware.predicted_low_bytes)}-"
        f"{gib(hardware.predicted_high_bytes)} GiB, {gib(available_bytes)} GiB are free"
    )
    stderr.warning(tight)
    asked = sys.stdin.isatty() and sys.stdout.isatty()
    if options.yes or options.json or options.quiet or not asked:
        return True
    sys.stdout.write("Start it all the same? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
