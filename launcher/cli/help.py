"""`tlplan help`: the one screen to start from, and the topics behind it."""

from __future__ import annotations

import argparse
import sys

from launcher.cli.command_line import (
    CHECK,
    COMMANDS,
    Parser,
    command_module,
    did_you_mean,
    parser_of,
)
from launcher.errors import UsageError
from launcher.exit_codes import ExitCode

HELP = "explain a command or a topic: commands, options, exit-codes"

SHORT_HELP = """\
tlplan: will this fine-tune fit into this memory, and how? Then it runs it.

Examples
  tlplan                                        in five steps: the wizard
  tlplan --model llama-3.1-8b                   what fits on this machine's GPU
  tlplan launch --model smollm2-135m --data train.jsonl         train it

Commands
  plan     write the plan as a file      demo     a real fine-tune, offline
  launch   train, with memory watched    runs     list the runs here
  watch    follow a run                  stop     save, then end a run
  resume   go on with a stopped run      doctor   what this machine has

Options of the check, plan and launch
  --model NAME      short name, org/model of the Hub, folder, or config.json
  --gpu NAME|GiB    a card such as rtx-4090, or 24GiB, instead of this machine's
  --method METHOD   only full, lora or qlora
  --seq TOKENS      longest row          --batch ROWS    rows at once
  --json            for programs         --version       of tlplan

More  tlplan help commands    tlplan help options    tlplan help exit-codes
      tlplan COMMAND --help
"""

NO_TERMINAL_NOTE = "the wizard needs a terminal; name a model to check it"

_EXIT_CODES = """\
Exit codes

    0  done; for a check: at least one method fits, or there is no card to judge
    1  something unexpected failed; the path of a report is printed
    2  usage: unknown option, model or card; invalid plan file
    3  answered: nothing fits; launch refuses unless --force is given
    4  the data cannot be used; each bad line is named
    5  something the launch needs is missing here: driver, package, card
    6  no access: gated model, bad token, Hub unreachable and nothing cached
    7  out of device memory, and no smaller step was left
    8  not enough disk
    9  training diverged: NaN or infinite loss or weights
   10  only with --gate: the tuned model did not beat the base model
   75  interrupted and resumable; tlplan resume RUN goes on
  130  interrupted twice: stopped at once; the last checkpoint is intact
"""

TOPICS = ("commands", "options", "exit-codes")


def show_short_help(*, asked: bool) -> int:
    """The short help on stdout when asked for; else, on stderr, with what is missing."""
    if asked:
        sys.stdout.write(SHORT_HELP)
        return ExitCode.DONE
    from launcher import stderr

    sys.stderr.write(SHORT_HELP)
    stderr.note(NO_TERMINAL_NOTE)
    return ExitCode.USAGE


def add_arguments(parser: Parser) -> None:
    """The topic."""
    parser.add_argument("topic", metavar="TOPIC", nargs="?", help="a topic or a command")


def run(arguments: argparse.Namespace) -> int:
    """Explain it."""
    sys.stdout.write(help_text(arguments.topic))
    return ExitCode.DONE


def help_text(topic: str | None) -> str:
    """What is said about a topic or command; None is the short help.

    Raises UsageError with the closest topics.
    """
    if topic is None:
        return SHORT_HELP
    if topic == "commands":
        return _all_commands()
    if topic == "exit-codes":
        return _EXIT_CODES
    name = CHECK if topic in ("options", CHECK) else topic
    if name != CHECK and name not in COMMANDS:
        raise UsageError(
            f'there is no help on "{topic}"',
            *did_you_mean(topic, [*TOPICS, *COMMANDS]),
            "tlplan help commands lists the commands",
        )
    return parser_of(name, command_module(name)).format_help()


def _all_commands() -> str:
    lines = ["Commands", "", f"  {'--model NAME':14}{command_module(CHECK).HELP}"]
    lines += [f"  {name:14}{command_module(name).HELP}" for name in COMMANDS]
    return "\n".join([*lines, "", "tlplan COMMAND --help shows the options of one.", ""])
