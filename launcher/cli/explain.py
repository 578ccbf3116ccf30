"""`tlplan explain`: what a word, an error or a log means."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import hwdb
from launcher.cli.command_line import Parser
from launcher.errors import UsageError
from launcher.exit_codes import ExitCode
from launcher.output.check_json import json_text
from launcher.output.error_text import error_lines, log_lines
from launcher.output.style import style_for
from launcher.output.word_text import list_lines, word_lines
from launcher.typed_path import typed_path
from launcher.unknown_name import unknown_name

_WORDS_OF_A_WORD = 3
_REPORT = "the last line of a traceback says most; tlplan doctor helps to report it"

HELP = "what a word, an error or a log file means"


def add_arguments(parser: Parser) -> None:
    """The word, the error or the log."""
    parser.usage = "tlplan explain [WORD | ERROR | LOGFILE | -] [--json]"
    parser.add_argument(
        *("word",),
        metavar="WORD",
        nargs="*",
        help="a word, the text of an error, a log file, a run folder, or - for stdin; without "
        "one, every word is listed",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")


def run(arguments: argparse.Namespace) -> int:
    """Explain it. Raises UsageError with the closest words."""
    name = " ".join(arguments.word)
    try:
        words = (hwdb.find_word(name),) if name else hwdb.all_words()
    except hwdb.NotFound as failure:
        return _error(name, arguments.json, failure)
    if arguments.json:
        document = {"schema_version": 1, "words": [word._asdict() for word in words]}
        sys.stdout.write(json_text(document))
        return ExitCode.DONE
    style = style_for(sys.stdout, os.environ)
    _write(word_lines(words[0], style.width) if name else list_lines(words, style.width))
    return ExitCode.DONE


def _error(text: str, as_json: bool, no_word: hwdb.NotFound) -> int:
    """Explain an error, or the errors of a log."""
    log = _log_of(text)
    found = _found_in(text.splitlines() if log is None else _lines_of(log))
    if not found and log is None:
        raise _not_known(text, no_word)
    if not found:
        raise UsageError(f"{log}: no error in it that is known here", _REPORT)
    if as_json:
        errors = [
            {"line": each.line_number, "text": each.line, **each.error._asdict()} for each in found
        ]
        document = {"schema_version": 1, "file": None if log is None else str(log)}
        sys.stdout.write(json_text({**document, "errors": errors}))
        return ExitCode.DONE
    width = style_for(sys.stdout, os.environ).width
    last = found[-1]
    if log is None:
        _write(error_lines(last.error, last.line, width))
    else:
        _write(log_lines("stdin" if str(log) == "-" else str(log), found, width))
    return ExitCode.DONE


def _not_known(text: str, no_word: hwdb.NotFound) -> UsageError:
    if "/" in text or text.endswith((".txt", ".log")):
        return UsageError(f"{text}: no such file, and no error that is known here")
    if len(text.split()) > _WORDS_OF_A_WORD:
        return UsageError("no error that is known here is in this text", _REPORT)
    return unknown_name(no_word)


def _log_of(text: str) -> Path | None:
    """The log that is named: a file, the log of a run folder, or "-"; None: the text is no path."""
    path = typed_path(text)
    if text == "-":
        return path
    try:
        if path.is_dir():
            return path / "log.txt" if (path / "log.txt").is_file() else None
        return path if path.is_file() else None
    except (OSError, ValueError):  # too long for a path, or no path at all
        return None


def _lines_of(log: Path) -> Iterable[str]:
    if str(log) == "-":
        yield from sys.stdin
        return
    try:
        with log.open(encoding="utf-8", errors="replace") as file:
            yield from file
    except OSError as problem:
        raise UsageError(f"{log}: cannot be read: {problem.strerror}") from None


def _found_in(lines: Iterable[str]) -> list[hwdb.Sighting]:
    return list(hwdb.sightings(lines, hwdb.all_known_errors()))


def _write(lines: Sequence[str]) -> None:
    style = style_for(sys.stdout, os.environ)
    sys.stdout.write(style.clean("".join(f"{line}\n" for line in lines)))
