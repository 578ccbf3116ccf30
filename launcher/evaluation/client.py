"""Starts the process that has torch and talks with it in JSON lines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Self

from launcher.errors import DataError, MissingHere, NoAccess, OutOfMemory, TlplanError, UsageError
from launcher.runs.worker_environment import CPU_THREAD_ENVIRONMENT, python_path

_ERRORS: dict[str, type[TlplanError]] = {
    "USAGE": UsageError,
    "BAD_DATA": DataError,
    "MISSING_HERE": MissingHere,
    "NO_ACCESS": NoAccess,
    "OUT_OF_MEMORY": OutOfMemory,
}


class EvaluationProcess:
    """One worker of `launcher.evaluation`; what it prints beside its answers is not shown."""

    def __init__(self, command: str, run: Path, options: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "launcher.evaluation.worker", command, str(run), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=CPU_THREAD_ENVIRONMENT | os.environ | {"PYTHONPATH": python_path()},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def ask(self, value: Any) -> None:
        """Send one line."""
        stream: IO[str] | None = self._process.stdin
        assert stream is not None
        stream.write(json.dumps(value) + "\n")
        stream.flush()

    def end_of_questions(self) -> None:
        """Nothing more will be asked."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def answer(self) -> dict[str, Any]:
        """The next line. Raises the failure it tells, TlplanError when the process is gone."""
        stream = self._process.stdout
        assert stream is not None
        line = stream.readline()
        if not line:
            raise TlplanError("the process that asks the models ended without an answer")
        value: dict[str, Any] = json.loads(line)
        if "error" in value:
            error = value["error"]
            kind = _ERRORS.get(error["code"], TlplanError)
            raise kind(error["message"], *error["hints"])
        return value
