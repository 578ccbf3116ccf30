"""From typed words to a command: the table of commands, and a parser that fails in our words."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NoReturn

from launcher.errors import UsageError

CHECK = "check"
"""The command without a name: `tlplan --model M`."""

COMMANDS: dict[str, str] = {
    "plan": "launcher.cli.plan",
    "launch": "launcher.cli.launch",
    "watch": "launcher.cli.watch",
    "stop": "launcher.cli.stop",
    "resume": "launcher.cli.resume",
    "runs": "launcher.cli.runs",
    "verify": "launcher.cli.verify",
    "eval": "launcher.cli.eval",
    "chat": "launcher.cli.chat",
    "data": "launcher.cli.data",
    "compare": "launcher.cli.compare",
    "choose": "launcher.cli.choose",
    "cost": "launcher.cli.cost",
    "prices": "launcher.cli.prices",
    "gpus": "launcher.cli.gpus",
    "models": "launcher.cli.models",
    "estimate": "launcher.cli.estimate",
    "demo": "launcher.cli.demo",
    "doctor": "launcher.cli.doctor",
    "explain": "launcher.cli.explain",
    "serve": "launcher.cli.serve",
    "schema": "launcher.cli.schema",
    "help": "launcher.cli.help",
}
"""Name of a command -> its module, which has HELP: str, add_arguments(parser) and
run(arguments) -> int, and is imported when the command is chosen."""


def parse(words: Sequence[str]) -> tuple[Any, argparse.Namespace]:
    """The module of the command that `words` ask for, and its arguments.

    Raises UsageError, and SystemExit after printing help.
    """
    if words and not words[0].startswith("-"):
        name, words = words[0], words[1:]
        if name not in COMMANDS:
            raise _unknown_command(name)
    else:
        name = CHECK
    module = command_module(name)
    return module, parser_of(name, module).parse_args(words)


def command_module(name: str) -> Any:
    """The module of a command, imported now."""
    return import_module(COMMANDS.get(name, "launcher.cli.check"))


def parser_of(name: str, module: Any) -> Parser:
    """The parser of one command."""
    parser = Parser(
        prog="tlplan" if name == CHECK else f"tlplan {name}",
        description=module.HELP[0].upper() + module.HELP[1:] + ".",
        allow_abbrev=False,
        formatter_class=_HelpText,
    )
    module.add_arguments(parser)
    return parser


class Parser(argparse.ArgumentParser):
    """Raises UsageError with a suggestion instead of printing usage and ending the process."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Like argparse's, but an unknown option is told with the closest known one."""
        arguments, unknown = self.parse_known_args(args, namespace)
        if unknown:
            raise self._unknown_words(unknown)
        return arguments

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found wrong."""
        message = message.removeprefix("argument ")
        raise UsageError(message, f"{self._help_command()} shows the options")

    def _unknown_words(self, unknown: Sequence[str]) -> UsageError:
        option = next((word for word in unknown if word.startswith("-")), None)
        if option is None:
            return UsageError(
                f'nothing is expected here: "{unknown[0]}"',
                f"{self._help_command()} shows what is",
            )
        option = option.partition("=")[0]
        known = [word for word in self._option_string_actions if word.startswith("--")]
        return UsageError(
            f"{self.prog} has no option {option}",
            *did_you_mean(option, known),
            f"{self._help_command()} shows the options",
        )

    def _help_command(self) -> str:
        return "tlplan help options" if self.prog == "tlplan" else f"{self.prog} --help"


class _HelpText(argparse.RawDescriptionHelpFormatter):
    """Help at 80 columns whatever the terminal, so that it can be quoted."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=80)


def one_of(option: str, words: Sequence[str]) -> Callable[[str], str]:
    """A type for argparse: one of these words."""

    def read(text: str) -> str:
        if text not in words:
            raise UsageError(
                f'{option} must be one of {", ".join(words)}, not "{text}"',
                *did_you_mean(text, words),
            )
        return text

    return read


def whole_number(option: str, *, least: int) -> Callable[[str], int]:
    """A type for argparse: an integer of at least `least`."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise UsageError(f'{option} takes a whole number, not "{text}"') from None
        if number < least:
            raise UsageError(f"{option} must be at least {least}, not {number}")
        return number

    return read


def positive_number(option: str) -> Callable[[str], float]:
    """A type for argparse: a number above 0."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise UsageError(f'{option} takes a number, not "{text}"') from None
        if not 0 < number < float("inf"):
            raise UsageError(f"{option} must be above 0, not {text}")
        return number

    return read


def did_you_mean(word: str, known: Sequence[str]) -> tuple[str, ...]:
    """One hint with the closest known words, or none."""
    from difflib import get_close_matches  # about 2 ms, only after a mistake

    close = get_close_matches(word, known, n=3, cutoff=0.6)
    return (f"did you mean {', '.join(close)}?",) if close else ()


def _unknown_command(name: str) -> UsageError:
    return UsageError(
        f'there is no command "{name}"',
        *did_you_mean(name, list(COMMANDS)),
        "tlplan help commands lists them all",
        "tlplan --model NAME is the quick check of a model",
    )
