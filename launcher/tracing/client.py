"""Asks for a trace without importing torch: from the cache, or from a worker process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from launcher.errors import MissingHere, TlplanError, UsageError
from launcher.runs.worker_environment import python_path
from launcher.tracing.cache import cache_folder, find_trace, keep_trace
from launcher.tracing.result import TraceResult

TIMEOUT_SECONDS = 300.0

_NEEDED = ("torch", "transformers", "peft")


def trace_case(
    case: Mapping[str, Any],
    *,
    folder: Path | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> TraceResult:
    """The traced memory of a case of `tlplan estimate` that has a `config`.

    `folder` is where traces are kept, the user's cache folder by default.
    Raises UsageError for a case that cannot be, or cannot be traced; MissingHere without the
    training libraries; TlplanError when the worker fails or takes longer than `timeout_seconds`.
    """
    if not isinstance(case.get("config"), Mapping):
        raise UsageError("a trace needs the model's config in the case")
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise MissingHere(
            f"a trace needs {', '.join(missing)}, not installed here",
            "try: pip install 'tlplan[train]'",
        )
    kept_in = folder or cache_folder()
    found = find_trace(case, kept_in)
    if found is not None:
        return found
    result = _result_of(_run_worker(case, timeout_seconds))
    keep_trace(case, result, kept_in)
    return result


def _run_worker(
    case: Mapping[str, Any], timeout_seconds: float
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [sys.executable, "-P", "-m", "launcher.tracing.worker"],
            input=json.dumps(case),
            capture_output=True,
            text=True,
            env=_environment(),
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TlplanError(
            f"the trace took longer than {timeout_seconds:.0f} seconds",
            "the estimate by formula needs no trace",
        ) from None


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


def _result_of(done: subprocess.CompletedProcess[str]) -> TraceResult:
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise TlplanError(f"the trace failed (exit code {done.returncode}): {last}") from None
    if "error" in answer:
        raise UsageError(answer["error"]["message"], *answer["error"]["hints"])
    return TraceResult.from_json(answer)
