"""`tlplan explain`: what a word of the field means."""

from __future__ import annotations

import argparse
import os
import sys

import hwdb
from launcher.cli.command_line import Parser
from launcher.exit_codes import ExitCode
from launcher.output.check_json import json_text
from launcher.output.style import style_for
from launcher.output.word_text import list_lines, word_lines
from launcher.unknown_name import unknown_name

HELP = "what a word means, such as LoRA, rank or packing"


def add_arguments(parser: Parser) -> None:
    """The word."""
    parser.add_argument("word", metavar="WORD", nargs="*", help="without one, every word is listed")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")


def run(arguments: argparse.Namespace) -> int:
    """Explain it. Raises UsageError with the closest words."""
    name = " ".join(arguments.word)
    try:
        words = (hwdb.find_word(name),) if name else hwdb.all_words()
    except hwdb.NotFound as failure:
        raise unknown_name(failure) from None
    if arguments.json:
        document = {"schema_version": 1, "words": [word._asdict() for word in words]}
        sys.stdout.write(json_text(document))
        return ExitCode.DONE
    style = style_for(sys.stdout, os.environ)
    lines = word_lines(words[0], style.width) if name else list_lines(words, style.width)
    sys.stdout.write(style.clean("".join(f"{line}\n" for line in lines)))
    return ExitCode.DONE
