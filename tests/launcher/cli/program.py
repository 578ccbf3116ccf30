"""Runs tlplan as people do: as a process with an environment, streams and an exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.fake_nvml import no_driver_environment

REPOSITORY = Path(__file__).parents[3]
GOLDEN = REPOSITORY / "tests" / "golden"

_SHOWN = ("COLUMNS", "LC_ALL", "NO_COLOR")
"""Variables that change what is printed; shown with the command in golden files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a run of tlplan left behind."""

    code: int
    out: str
    err: str


def tlplan(
    *words: str,
    environment: Mapping[str, str] | None = None,
    folder: Path = REPOSITORY,
    stdin: str | None = None,
    **variables: str,
) -> Answer:
    """Run tlplan with these words, without a GPU unless `environment` brings one.

    It may take as long as it needs on a busy machine; the test's own limit ends one that hangs.
    """
    done = subprocess.run(
        [sys.executable, "-m", "launcher", *words],
        cwd=folder,
        env=plain_environment(environment) | variables,
        capture_output=True,
        input=stdin,
        encoding="utf-8",
        check=False,
    )
    return Answer(code=done.returncode, out=done.stdout, err=done.stderr)


def plain_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a pipe in a UTF-8 locale, with nothing set that changes the text."""
    plain = dict(environment if environment is not None else no_driver_environment())
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERM", "LC_ALL", "HF_TOKEN"):
        plain.pop(name, None)
    return plain | {"LANG": "C.UTF-8", "PYTHONPATH": str(REPOSITORY)}


def transcript(words: tuple[str, ...], answer: Answer, variables: Mapping[str, str]) -> str:
    """A run as it reads in a golden file."""
    shown = [f"{name}={variables[name]} " for name in _SHOWN if name in variables]
    lines = [f"$ {''.join(shown)}tlplan {' '.join(words)}", *answer.err.splitlines()]
    return "\n".join([*lines, answer.out.rstrip("\n"), f"exit code {answer.code}", ""])


def check_golden(name: str, text: str) -> None:
    """Compare with a golden file; UPDATE_GOLDENS=1 writes it anew instead."""
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDENS"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    expected = path.read_bytes().decode("utf-8")
    assert text == expected, f"{path} differs; UPDATE_GOLDENS=1 writes it anew"
