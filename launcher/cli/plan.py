"""`tlplan plan`: the whole plan as a file, each choice with its reason."""

from __future__ import annotations

import argparse
import dataclasses
import sys

from launcher import stderr
from launcher.advising import advice_on, tell_advice
from launcher.cli.command_line import Parser
from launcher.errors import UsageError
from launcher.exit_codes import ExitCode
from launcher.output.check_json import json_text
from launcher.output.expected_text import expected_lines
from launcher.output.numbers import gib
from launcher.output.ways_text import ways_document, ways_lines
from launcher.output.words import method_text
from launcher.planning import add_planning_options, lightest, plan_from_arguments
from launcher.settling import ReadyPlan, nothing_fits, ready_plan
from planner.advice.should_you import Advice
from planner.plan import Plan

HELP = "write the whole plan as a file, each choice with its reason"


def add_arguments(parser: Parser) -> None:
    """The planning options, and where the plan goes."""
    parser.usage = "tlplan plan --model NAME --data FILE [-o plan.yaml] [options]"
    add_planning_options(parser)
    where = parser.add_argument_group("output")
    where.add_argument(
        "-o", "--output", metavar="FILE", help="write the plan there; without it, to stdout"
    )
    where.add_argument("--out", metavar="DIR", help="run folder that the plan names")
    where.add_argument(
        "--explain",
        action="store_true",
        help="instead of a plan, say what every other setting would cost and why it lost",
    )
    where.add_argument("--force", action="store_true", help="plan even if nothing fits")
    where.add_argument("--json", action="store_true", help="one JSON document instead of text")


def run(arguments: argparse.Namespace) -> int:
    """Write the plan; exit code 3 when nothing fits."""
    plan = plan_from_arguments(arguments, to_run=not arguments.explain)
    for warning in plan.warnings:
        stderr.warning(warning.text)
    tell_advice(plan)
    if arguments.explain:
        return _explain(plan, as_json=arguments.json)
    ready = ready_plan(plan, out=arguments.out, force=arguments.force)
    advice = advice_on(plan, all_at_their_fastest=True)
    file = None if arguments.output == "-" else arguments.output
    if file is not None:
        _write(file, ready.text)
    if arguments.json:
        sys.stdout.write(json_text(_document(ready, file, advice)))
    elif file is None:
        sys.stdout.write(ready.text)
    else:
        sys.stdout.write(_summary(ready, file, advice))
    return ExitCode.DONE


def _explain(plan: Plan, *, as_json: bool) -> int:
    from launcher.exploring import change_that_fits, explored_plan, rent_of
    from launcher.output.explain_text import explain_document, explain_text

    explored, chosen = explored_plan(plan)
    rent = rent_of(plan)
    if as_json:
        change = change_that_fits(plan, lightest(plan)) if chosen is None else None
        sys.stdout.write(json_text(explain_document(explored, chosen, rent, change)))
    elif chosen is None:
        raise nothing_fits(plan)
    else:
        sys.stdout.write(explain_text(explored, chosen, rent))
    return ExitCode.NOTHING_FITS if chosen is None else ExitCode.DONE


def _write(file: str, text: str) -> None:
    try:
        with open(file, "x", encoding="utf-8") as handle:  # noqa: PTH123  (pathlib has no "x")
            handle.write(text)
    except FileExistsError:
        raise UsageError(
            f"{file} exists already and is left as it is",
            f"name another file with -o, or remove it: rm {file}",
        ) from None
    except OSError as problem:
        raise UsageError(f"{file} cannot be written: {problem.strerror}") from None


def _document(ready: ReadyPlan, file: str | None, advice: Advice | None) -> dict[str, object]:
    return {
        "schema_version": 1,
        "file": file,
        "plan": dataclasses.asdict(ready.run_plan),
        "reasons": ready.reasons,
        "fits": ready.answer.verdict.fits,
        "advice": None if advice is None else ways_document(advice),
    }


def _summary(ready: ReadyPlan, file: str, advice: Advice | None) -> str:
    answer = ready.answer
    needed = gib(answer.memory.needed.expected_bytes)
    capacity = answer.verdict.capacity_bytes
    of = "" if capacity is None else f" of {gib(capacity)}"
    lines = [
        f"{file}: {method_text(answer.request)}; {needed}{of} GiB",
        *expected_lines(ready.expectation, ready.run_plan),
        *(("", *ways_lines(advice)) if advice is not None else ()),
    ]
    return "\n".join(lines) + f"\n\nNext  tlplan launch {file}\n"
