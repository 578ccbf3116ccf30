"""The options that describe a fine-tune, spelled the same in the quick check, plan and launch."""

from __future__ import annotations

import argparse
from typing import get_args

from launcher.cli.command_line import one_of, positive_number, whole_number
from planner.advice.learning import AUTO
from planner.request import (
    IN_BACKWARD,
    METHODS,
    Attention,
    Checkpointing,
    Loss,
    Optimizer,
    Task,
    Weights,
)

_OPTIMIZERS = tuple(name + end for name in get_args(Optimizer) for end in ("", IN_BACKWARD))


_REPEATED = (
    "task",
    "method",
    "train_last",
    "rank",
    "targets",
    "weights",
    "seq",
    "batch",
    "accumulate",
    "optimizer",
    "checkpointing",
    "attention",
    "loss",
    "packing",
    "epochs",
    "max_steps",
    "learning_rate",
    "seed",
)


def typed_options(arguments: argparse.Namespace) -> dict[str, str]:
    """Options that were given, with their values, apart from --model, --data, --gpu, --trace."""
    values = {name: getattr(arguments, name) for name in _REPEATED}
    return {
        f"--{name.replace('_', '-')}": f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in values.items()
        if value is not None
    }


def add_planning_options(parser: argparse.ArgumentParser) -> None:
    """--model, --data, --gpu and everything that changes what a step needs."""
    what = parser.add_argument_group("what and where")
    _add_job(what)
    what.add_argument(
        "--gpu",
        metavar="NAME|GiB",
        action="append",
        default=[],
        help="a card of hwdb or a size such as 24GiB instead of this machine's; cpu for none",
    )
    what.add_argument(
        "--trace",
        action="store_true",
        help="trace a step of the real model classes: slower, exact to a per mille",
    )
    _add_settings(parser, what)


def add_job_options(parser: argparse.ArgumentParser) -> None:
    """The same without a card, for commands that try many."""
    what = parser.add_argument_group("what")
    _add_job(what)
    _add_settings(parser, what)


def _add_job(what: argparse._ArgumentGroup) -> None:
    what.add_argument(
        "--model",
        metavar="NAME",
        help="short name or alias in hwdb, org/name[@revision] on the Hub, folder, or config.json",
    )
    what.add_argument(
        "--data",
        metavar="FILE",
        help="rows to learn from: a file, a folder, a pattern, or org/name[:split] of the Hub",
    )
    what.add_argument(
        "--held-out", metavar="FILE", help="rows to measure on; else about a tenth of them is"
    )


def _add_settings(parser: argparse.ArgumentParser, what: argparse._ArgumentGroup) -> None:
    what.add_argument("--task", metavar="TASK", type=one_of("--task", get_args(Task)))
    _add_method_options(parser.add_argument_group("method"))
    _add_step_options(parser.add_argument_group("one step"))
    _add_loop_options(parser.add_argument_group("the whole run"))


def _add_method_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--method", metavar="|".join(METHODS), type=one_of("--method", METHODS))
    group.add_argument(
        "--train-last",
        metavar="N|auto",
        type=_layers,
        help="with full: only the last N blocks and the head; auto chooses N by rows and fit",
    )
    group.add_argument(
        "--rank", metavar="N", type=whole_number("--rank", least=1), help="of the adapters"
    )
    group.add_argument(
        "--targets", metavar="NAMES", help="layers with adapters, such as q_proj,v_proj"
    )
    _words(group, "--weights", get_args(Weights))


def _layers(text: str) -> int | str:
    return AUTO if text == AUTO else whole_number("--train-last", least=0)(text)


def _add_step_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--seq",
        metavar="TOKENS",
        type=whole_number("--seq", least=1),
        help="longest row; longer ones are cut",
    )
    group.add_argument(
        "--batch", metavar="ROWS", type=whole_number("--batch", least=1), help="rows at once"
    )
    group.add_argument(
        "--accumulate",
        metavar="N",
        type=whole_number("--accumulate", least=1),
        help="batches a step",
    )
    group.add_argument(
        "--optimizer",
        metavar="NAME",
        type=one_of("--optimizer", _OPTIMIZERS),
        help=f"{', '.join(get_args(Optimizer))}; with {IN_BACKWARD} behind it to step early",
    )
    _words(group, "--checkpointing", get_args(Checkpointing))
    _words(group, "--attention", get_args(Attention))
    _words(group, "--loss", get_args(Loss))
    _words(group, "--packing", ("yes", "no"))


def _add_loop_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--epochs",
        metavar="N",
        type=positive_number("--epochs"),
        help="passes over the data; 0.5 is half of it",
    )
    group.add_argument(
        "--max-steps",
        metavar="N",
        type=whole_number("--max-steps", least=1),
        help="stop after N steps even if epochs are left",
    )
    group.add_argument("--learning-rate", metavar="RATE", type=positive_number("--learning-rate"))
    group.add_argument("--seed", metavar="N", type=whole_number("--seed", least=0))


def _words(group: argparse._ArgumentGroup, option: str, words: tuple[str, ...]) -> None:
    group.add_argument(option, metavar="|".join(words), type=one_of(option, words))
