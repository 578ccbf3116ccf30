"""Asks for traces without importing torch: from the cache, or from a worker process."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from launcher.errors import MissingHere, TlplanError, UsageError
from launcher.runs.worker_environment import python_path
from launcher.tracing.cache import cache_folder, find_trace, keep_trace
from launcher.tracing.result import TraceResult
from planner.request import Batching

TIMEOUT_SECONDS = 180.0
CPU_SECONDS = 60.0
"""An 8B model takes 8, imports included. State-space models without kernels of their own loop over
tokens in Python."""

_NEEDED = ("torch", "transformers", "peft")


class Tracer:
    """Traces cases in one worker process, which starts with the first that is not in the cache."""

    def __init__(
        self,
        *,
        folder: Path | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        cpu_seconds: float = CPU_SECONDS,
        on_start: Callable[[], None] | None = None,
    ) -> None:
        """Keep traces in `folder`, by default the user's cache folder.

        A trace may take so many seconds, and the worker compute for so many of them.
        `on_start` is called when the worker has to be started.
        """
        self._folder = folder or cache_folder()
        self._timeout_seconds = timeout_seconds
        self._cpu_seconds = cpu_seconds
        self._on_start = on_start
        self._worker: _Worker | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _problem: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the worker; nothing is traced any more."""
        self._closed = True
        self._end_worker()

    def _end_worker(self) -> None:
        if self._worker is not None:
            self._worker.end()
            self._worker = None

    def trace(self, case: Mapping[str, Any], *, batching: Batching = "random") -> TraceResult:
        """The traced memory of a case of `tlplan estimate` that has a `config`.

        `batching` says how its rows are put together where they have unequal lengths.
        Raises UsageError for a case that cannot be, or cannot be traced; MissingHere without the
        training libraries; TlplanError when the worker fails or takes too long.
        """
        if not isinstance(case.get("config"), Mapping):
            raise UsageError("a trace needs the model's config in the case")
        missing = [name for name in _NEEDED if find_spec(name) is None]
        if missing:
            raise MissingHere(
                f"a trace needs {', '.join(missing)}, not installed here",
                "try: pip install 'tlplan[train]'",
            )
        found = find_trace(case, batching, self._folder)
        if found is not None:
            return found
        if self._worker is None:
            if self._on_start is not None:
                self._on_start()
            self._worker = _Worker()
        if self._closed:  # by another thread, at any moment up to here
            self._end_worker()
            raise TlplanError("the trace was given up")
        asked = {"case": case, "batching": batching, "cpu_seconds": self._cpu_seconds}
        try:
            answer = self._worker.ask(asked, self._timeout_seconds)
        except TlplanError:
            self._end_worker()
            raise
        if "error" in answer:
            raise UsageError(answer["error"]["message"], *answer["error"]["hints"])
        result = TraceResult.from_json(answer)
        keep_trace(case, batching, result, self._folder)
        return result


def trace_case(
    case: Mapping[str, Any],
    *,
    folder: Path | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    cpu_seconds: float = CPU_SECONDS,
) -> TraceResult:
    """The traced memory of one case; for errors see `Tracer.trace`."""
    with Tracer(folder=folder, timeout_seconds=timeout_seconds, cpu_seconds=cpu_seconds) as tracer:
        return tracer.trace(case)


class _Worker:
    """A process of `launcher.tracing.worker`."""

    def __init__(self) -> None:
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "launcher.tracing.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=_environment(),
            # Ctrl-C is for whoever asked, who then ends it.
            start_new_session=True,
        )

    def ask(self, asked: Mapping[str, Any], timeout_seconds: float) -> dict[str, Any]:
        """Its answer. Raises TlplanError when it gives none, or none in time."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()
            answer: dict[str, Any] = json.loads(self._line(timeout_seconds))
        except (OSError, ValueError):
            code = self._exit_code()
            if code == -signal.SIGXCPU:
                raise UsageError(
                    f"the step takes more than {asked['cpu_seconds']:.0f} seconds of CPU to trace:"
                    " the model computes token by token, or its blocks are too many and too unlike"
                ) from None
            raise TlplanError(f"the trace failed: {self._last_words(code)}") from None
        return answer

    def _line(self, timeout_seconds: float) -> bytes:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        until = time.monotonic() + timeout_seconds
        line = b""
        while not line.endswith(b"\n"):
            left_seconds = until - time.monotonic()
            if left_seconds <= 0 or not select.select([pipe], [], [], left_seconds)[0]:
                raise TlplanError(
                    f"the trace took longer than {timeout_seconds:.0f} seconds",
                    "the estimate by formula needs no trace",
                )
            read = os.read(pipe, 1 << 16)
            if not read:
                break
            line += read
        return line

    def _exit_code(self) -> int | str:
        try:
            return self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "none"

    def _last_words(self, code: int | str) -> str:
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return f"{lines[-1] if lines else 'it said nothing'} (exit code {code})"

    def end(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._said):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # what it was not read cannot be flushed


def _environment() -> dict[str, str]:
    """No card, no network, one thread: a trace computes nothing."""
    return {
        **os.environ,
        "PYTHONPATH": python_path(),
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "TRANSFORMERS_VERBOSITY": "error",
    }
