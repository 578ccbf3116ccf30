"""The answer of the quick check: a plan, and what it was judged against."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import NamedTuple

from launcher.cli.planning_options import typed_options
from launcher.hardware import Hardware
from launcher.planning import plan_and_hardware
from planner.plan import Plan


class QuickCheck(NamedTuple):
    """Everything that is shown of a check, as text or as JSON."""

    model_argument: str
    """The model as it was typed, for commands that name it again."""
    gpu_argument: str | None
    plan: Plan
    hardware: Hardware
    options: Mapping[str, str]
    """The other planning options that were given, such as --seq."""


def quick_check(arguments: argparse.Namespace) -> QuickCheck:
    """Check what the options ask. Raises what `plan_and_hardware` raises."""
    plan, hardware = plan_and_hardware(arguments, host_without_gpu=False)
    return QuickCheck(
        model_argument=arguments.model,
        gpu_argument=arguments.gpu[0] if arguments.gpu else None,
        options=typed_options(arguments),
        plan=plan,
        hardware=hardware,
    )
