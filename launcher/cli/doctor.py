"""`tlplan doctor`: what this machine has, ready to paste."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict

import hwdb
from launcher.cli.command_line import Parser
from launcher.doctor import INSTALL_LINE, Checkup, Package, examine
from launcher.exit_codes import ExitCode
from launcher.output.check_json import json_text
from launcher.output.numbers import gib
from launcher.version import VERSION

HELP = "what this machine has, ready to paste into a question"

_LABEL = 10


def add_arguments(parser: Parser) -> None:
    """How it is told."""
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")


def run(arguments: argparse.Namespace) -> int:
    """Tell it; exit code 5 when a package is missing."""
    checkup = examine()
    if arguments.json:
        sys.stdout.write(json_text(_document(checkup)))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _lines(checkup)))
    return ExitCode.MISSING_HERE if checkup.missing else ExitCode.DONE


def _document(checkup: Checkup) -> dict[str, object]:
    return {
        "schema_version": 1,
        "tlplan_version": VERSION,
        "hwdb_version": hwdb.VERSION,
        "python": {"version": checkup.python_version, "path": checkup.python_path},
        "packages": [asdict(package) for package in checkup.packages],
        "machine": asdict(checkup.machine),
        "disk_free_bytes": checkup.disk_free_bytes,
        "fix": INSTALL_LINE if checkup.missing else None,
    }


def _lines(checkup: Checkup) -> Iterator[str]:
    machine = checkup.machine
    host = machine.host
    yield f"{'tlplan':{_LABEL}}{VERSION}, hwdb {hwdb.VERSION}"
    yield f"{'Python':{_LABEL}}{checkup.python_version}, {checkup.python_path}"
    yield f"{'System':{_LABEL}}{host.operating_system}"
    yield f"{'CPU':{_LABEL}}{host.cpu_name or 'unknown'}, {host.cpu_cores} cores"
    yield f"{'Memory':{_LABEL}}{gib(host.available_bytes)} of {gib(host.total_bytes)} GiB available"
    yield f"{'Disk':{_LABEL}}{gib(checkup.disk_free_bytes)} GiB free in this folder"
    yield from _gpu_lines(checkup)
    yield ""
    yield from (_package_line(package) for package in checkup.packages)
    if checkup.missing:
        yield ""
        yield f"Fix all   {INSTALL_LINE}"


def _gpu_lines(checkup: Checkup) -> Iterator[str]:
    machine = checkup.machine
    if machine.driver_version is not None:
        cuda = f", CUDA {machine.cuda_version}" if machine.cuda_version else ""
        yield f"{'Driver':{_LABEL}}{machine.driver_version}{cuda}"
    if not machine.gpus:
        yield f"{'GPU':{_LABEL}}none: {machine.gpu_problem}"
    for gpu in machine.gpus:
        memory = "memory unknown"
        if gpu.free_bytes is not None and gpu.total_bytes is not None:
            memory = f"{gib(gpu.free_bytes)} of {gib(gpu.total_bytes)} GiB free"
        yield f"{f'GPU {gpu.index}':{_LABEL}}{gpu.name}, {memory}"


def _package_line(package: Package) -> str:
    state = "ok"
    if package.installed is None:
        state = f"missing, needed for {package.needed_for}"
    elif package.fits is False:
        state = f"needs {package.wanted}"
    return f"  {package.name:18}{package.installed or '-':12}{state}"
