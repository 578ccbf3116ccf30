"""`tlplan demo`: a real fine-tune of a real small model on whatever this machine has, offline."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from shutil import which

from launcher.cli.launch import LaunchOptions, launch_run
from launcher.data.rows import read_data
from launcher.demo.model import demo_model_folder
from launcher.demo.tickets import TICKETS_FILE
from launcher.hardware import hardware_for
from launcher.models import resolve_model
from launcher.output.check_text import summary_text
from launcher.output.style import style_for
from launcher.planning import data_facts
from launcher.preflight import check_launch
from launcher.quick_check import QuickCheck
from launcher.runs.folder import RUNS_ROOT, default_run_folder
from launcher.settling import ready_plan
from launcher.stderr import note
from launcher.view.result import shown_path
from planner.advice.settings import Asked
from planner.plan import make_plan

HELP = "a real fine-tune of a small real model on this machine, offline"

_LESSON = """\
A fine-tune of a small language model on this machine, from {rows} support tickets.
It learns to answer a ticket with one strict line, such as
  {example}
"""

_ASKED = Asked(
    method="lora",
    micro_batch=2,
    accumulation=1,
    max_steps=80,
    epochs=1.0,
    learning_rate=1e-3,
    checkpointing="none",
)
"""Many small steps at a high rate: visible learning in two minutes on two cores."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Another model, another folder."""
    parser.add_argument(
        "--model", metavar="FOLDER", help="a model that is here already, instead of SmolLM2-135M"
    )
    parser.add_argument("--out", metavar="DIR", help="run folder; runs/demo-... otherwise")
    parser.add_argument("--json", action="store_true", help="the events, one JSON line each")


def run(arguments: argparse.Namespace) -> int:
    """Fetch the model, show the plan, train."""
    _say(_lesson(), quiet=arguments.json)
    folder = arguments.model or str(
        demo_model_folder(lambda text: _say(text, quiet=arguments.json))
    )
    model = resolve_model(folder)
    hardware = hardware_for([], host_without_gpu=True)
    data = data_facts(str(TICKETS_FILE), model)
    overview = make_plan(model, hardware.budget, _without_method(), data)
    check = QuickCheck(
        model_argument=folder, gpu_argument=None, plan=overview, hardware=hardware, options={}
    )
    _say(summary_text(check, style_for(sys.stdout, os.environ)), quiet=arguments.json)
    plan = make_plan(model, hardware.budget, _ASKED, data)
    out = arguments.out or str(default_run_folder(RUNS_ROOT, "demo", "lora"))
    ready = ready_plan(plan, out=out)
    needed = check_launch(ready.run_plan, force=False)
    options = LaunchOptions(json=arguments.json, yes=True, needed_disk_bytes=needed)
    code = launch_run(ready.text, ready.run_plan, options)
    if which("tlplan") is None and not arguments.json:
        program = Path(sys.executable).with_name("tlplan")
        note(f"not on your PATH yet: {shown_path(program)}")
    return code


def _lesson() -> str:
    data = read_data(TICKETS_FILE)
    example = data.rows[0]["messages"][-1]["content"]
    return _LESSON.format(rows=len(data.rows), example=example)


def _without_method() -> Asked:
    from dataclasses import replace

    return replace(_ASKED, method=None)


def _say(text: str, *, quiet: bool) -> None:
    if not quiet:
        sys.stdout.write(text.rstrip("\n") + "\n")
        sys.stdout.flush()
