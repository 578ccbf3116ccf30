"""`tlplan data`: what a data file is, what is wrong with it line by line, and what to do."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from launcher import stderr
from launcher.cli.command_line import Parser
from launcher.data.checkup import Checkup, check_up
from launcher.data.fixing import refuse_taken, write_good_rows
from launcher.data.known_distance import keep_distance
from launcher.data.named import data_path
from launcher.data.sources import source_of
from launcher.errors import UsageError
from launcher.evaluation.client import EvaluationProcess
from launcher.exit_codes import ExitCode
from launcher.output.check_json import json_text
from launcher.output.data_json import data_document
from launcher.output.data_text import data_text
from launcher.output.style import style_for
from launcher.output.ways_text import ways_document, ways_lines
from planner.advice.settings import TASK_OF_LAYOUT, Asked
from planner.advice.should_you import Advice
from planner.advice.situation import AdviceItem
from planner.plan import PlannedModel

HELP = "what is in a data file, and what is wrong with it, line by line"


def add_arguments(parser: Parser) -> None:
    """The file, and what to do with it."""
    parser.usage = "tlplan data FILE [--model NAME] [--fix OUT] [options]"
    parser.add_argument(
        "file",
        metavar="FILE",
        help="JSONL, JSON, CSV, TSV, Parquet or text, also packed; a folder of files, or of "
        'pictures by class; a pattern such as "part-*.jsonl"; org/name[:split] of the Hub',
    )
    parser.add_argument("--model", metavar="NAME", help="count tokens as this model would")
    parser.add_argument(
        "--gpu",
        metavar="NAME|GiB",
        action="append",
        default=[],
        help="with --model: what each way would take there, instead of on this machine",
    )
    parser.add_argument("--held-out", metavar="FILE", help="rows to measure on, looked for repeats")
    parser.add_argument(
        "--fix", metavar="OUT", help=f"write the good rows there, the rest to OUT{'.rest.txt'}"
    )
    parser.add_argument(
        "--distance",
        action="store_true",
        help="with a --model folder: how far the rows are from what it knows",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")


def run(arguments: argparse.Namespace) -> int:
    """Look at the data; exit code 4 when a launch would refuse it and nothing was mended."""
    if arguments.fix:
        refuse_taken(Path(arguments.fix))
    path = data_path(arguments.file)
    model = _model(arguments.model)
    checkup = check_up(
        path,
        tokenizer_file=_tokenizer_file(model),
        held_out=data_path(arguments.held_out) if arguments.held_out else None,
        limit_tokens=None if model is None else model.shape.max_context_tokens,
    )
    distance = _distance(checkup, model) if arguments.distance else None
    nats = None if distance is None else float(distance["distance_nats"]["value"])
    if nats is not None and model is not None and model.folder is not None:
        keep_distance(path, Path(model.folder), nats)
    ways = _ways(checkup, model, arguments.gpu, nats)
    advice = _advice(checkup, model, nats) if ways is None else ways.items
    if arguments.json:
        ways_told = None if ways is None else ways_document(ways)
        told = {**data_document(checkup, advice), "ways": ways_told, "distance": distance}
        sys.stdout.write(json_text(told))
    else:
        style = style_for(sys.stdout, os.environ)
        lines = [] if ways is None else list(ways_lines(ways))
        following = _following(arguments, checkup)
        text = data_text(checkup, advice, style, following, ways=lines, distance=distance)
        sys.stdout.write(style.clean(text))
    if arguments.fix:
        return _fix(path, Path(arguments.fix), checkup)
    return ExitCode.BAD_DATA if checkup.bad_rows or not checkup.rows else ExitCode.DONE


def _fix(path: Path, target: Path, checkup: Checkup) -> int:
    repeats = frozenset(each.row for each in checkup.repeats if each.same_label)
    fixed = write_good_rows(source_of(path), target, repeats)
    stderr.note(f"{fixed.rows} rows in {target}, {fixed.left_out} left out, listed in {fixed.rest}")
    return ExitCode.DONE if fixed.rows else ExitCode.BAD_DATA


def _model(name: str | None) -> PlannedModel | None:
    if name is None:
        return None
    from launcher.models import resolve_model

    return resolve_model(name)


def _tokenizer_file(model: PlannedModel | None) -> Path | None:
    if model is None:
        return None
    if model.folder is None:
        stderr.note(f"the tokenizer of {model.id} is not here; tokens are estimated from bytes")
        return None
    path = Path(model.folder, "tokenizer.json")
    return path if path.is_file() else None


def _ways(
    checkup: Checkup, model: PlannedModel | None, gpu: list[str], nats: float | None
) -> Advice | None:
    """What each way would take; None without a model that such rows can be planned for."""
    from launcher.advising import advice_on
    from launcher.hardware import hardware_for
    from launcher.planning import facts_of_checkup, task_for
    from planner.plan import make_plan

    facts = None if model is None else facts_of_checkup(checkup, model)
    if model is None or facts is None:
        return None
    try:
        task = task_for(model, TASK_OF_LAYOUT.get(facts.layout))
    except UsageError:
        return None  # such rows are for another kind of model
    budget = hardware_for(gpu, host_without_gpu=True).budget
    plan = make_plan(model, budget, Asked(task=task), facts)
    return advice_on(plan, distance_nats=nats, all_at_their_fastest=True)


def _advice(
    checkup: Checkup, model: PlannedModel | None, nats: float | None
) -> tuple[AdviceItem, ...]:
    from launcher.advising import advice_on_data

    if not checkup.rows or checkup.layout is None:
        return ()
    return advice_on_data(checkup, model, distance_nats=nats)


def _distance(checkup: Checkup, model: PlannedModel | None) -> dict[str, Any]:
    """What the model's own loss says; a process with torch measures it."""
    if model is None or model.folder is None:
        raise UsageError("--distance needs a model that is here", "--model FOLDER names one")
    if checkup.layout == "image_label" or not checkup.texts:
        raise UsageError("--distance needs rows of text")
    stderr.note(
        f"measuring the loss of {model.id} on up to {len(checkup.texts)} rows: up to a minute"
    )
    with EvaluationProcess("distance", Path(model.folder)) as process:
        for text in checkup.texts:
            process.ask(text)
        process.end_of_questions()
        return process.answer()


def _following(arguments: argparse.Namespace, checkup: Checkup) -> str | None:
    if not checkup.rows:
        return None
    if checkup.bad_rows and checkup.rows and not arguments.fix:
        return f"tlplan data {arguments.file} --fix clean.jsonl"
    file = arguments.fix or arguments.file
    return f"tlplan plan --model {arguments.model or 'NAME'} --data {file} -o plan.yaml"
