"""`tlplan chat`: ask the base and the tuned model the same, side by side."""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from launcher import stderr
from launcher.cli.command_line import Parser
from launcher.errors import DataError, UsageError
from launcher.evaluation.client import EvaluationProcess
from launcher.exit_codes import ExitCode
from launcher.output.style import style_for
from launcher.runs.folder import find_run

HELP = "ask base and tuned the same question, answers side by side"

_LEAST_COLUMNS = 60
_CLASSES = 10


def add_arguments(parser: Parser) -> None:
    """The run."""
    parser.usage = "tlplan chat [RUN] [--json] < questions.txt"
    parser.add_argument("run", metavar="RUN", nargs="?", help="name or folder; default: the newest")
    parser.add_argument("--json", action="store_true", help="one JSON line for each question")


def run(arguments: argparse.Namespace) -> int:
    """One question a line, from a person or a pipe, until the input ends."""
    folder = find_run(arguments.run)
    if sys.stdin is None:
        raise UsageError("there is nothing to read questions from: standard input is closed")
    code = ExitCode.DONE
    stderr.note(f"loading the models of {folder.name}")
    with EvaluationProcess("chat", folder.path) as process:
        task = process.answer()["task"]
        _say_how(task)
        for question in _questions():
            process.ask(question)
            found = _answers(process, task)
            if "problem" in found:
                code = ExitCode.DONE if sys.stdin.isatty() else ExitCode.BAD_DATA
                stderr.error(DataError(found["problem"]))
                if not arguments.json:
                    continue
            sys.stdout.write(_shown(question, found, as_json=arguments.json))
            sys.stdout.flush()
    return code


def _say_how(task: str) -> None:
    if sys.stdin.isatty():
        what = "the path of a picture" if task == "image-classification" else "a question"
        stderr.note(f"type {what} and Enter; an empty line or Ctrl-D ends")


def _questions() -> Iterator[str]:
    asked = sys.stdin.isatty()
    while True:
        if asked:
            sys.stdout.write("> ")
            sys.stdout.flush()
        line = sys.stdin.readline()
        if not line or (asked and not line.strip()):
            return
        if line.strip():
            yield line.strip()


def _answers(process: EvaluationProcess, task: str) -> dict[str, Any]:
    if task != "causal-lm":
        return process.answer()
    found = {}
    for _ in range(2):
        told = process.answer()
        found[told["condition"]] = told["answer"]
    return found


def _shown(question: str, found: dict[str, Any], *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"question": question, **found}, ensure_ascii=False) + "\n"
    asked = "" if sys.stdin.isatty() else f"> {question}\n"
    if "chances" in found:
        return asked + _classes(found)
    width = style_for(sys.stdout, os.environ).width
    return asked + side_by_side(found["base"], found["tuned"], width)


def _classes(found: dict[str, Any]) -> str:
    """Chances of the tuned model, beside them how near the base model finds each class."""
    tuned = [f"{100 * chance:5.1f} %  {label}" for label, chance in found["chances"][:_CLASSES]]
    near = found["base"]
    if near is None:
        return "".join(f"  {line}\n" for line in tuned)
    base = [f"{cosine:6.2f}  {label}" for label, cosine in near[:_CLASSES]]
    head = "base, nearest examples"
    column = max(len(head), *map(len, base)) + 2
    lines = [f"{head:<{column}}| tuned"]
    lines += [f"{a:<{column}}|{b}".rstrip() for a, b in zip_longest(base, tuned, fillvalue="")]
    return "\n".join(lines) + "\n\n"


def side_by_side(base: str, tuned: str, width: int) -> str:
    """Both answers in two columns, one below the other where the terminal is narrow."""
    if width < _LEAST_COLUMNS:
        return f"base   {' '.join(base.split())}\ntuned  {' '.join(tuned.split())}\n\n"
    column = (width - 3) // 2
    left, right = (_wrapped(text, column) for text in (base, tuned))
    lines = [f"{'base':<{column}} | tuned"]
    lines += [f"{a:<{column}} | {b}".rstrip() for a, b in zip_longest(left, right, fillvalue="")]
    return "\n".join(lines) + "\n\n"


def _wrapped(text: str, width: int) -> list[str]:
    lines = []
    for line in text.splitlines() or [""]:
        shown = "".join(letter if letter.isprintable() else " " for letter in line)
        lines += textwrap.wrap(shown, width) or [""]
    return lines
