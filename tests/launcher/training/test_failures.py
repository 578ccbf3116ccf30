"""An exception of a library becomes a failure with the right exit code."""

from __future__ import annotations

import errno

import pytest

from launcher.errors import DataError
from launcher.exit_codes import ExitCode
from launcher.training.failures import as_tlplan_error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."), ExitCode.OUT_OF_MEMORY),
        (RuntimeError("CUDA error: out of memory"), ExitCode.OUT_OF_MEMORY),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling `x`"), ExitCode.OUT_OF_MEMORY),
        (RuntimeError("Triton Error [CUDA]: out of memory"), ExitCode.OUT_OF_MEMORY),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes."),
            ExitCode.OUT_OF_MEMORY,
        ),
        (MemoryError(), ExitCode.OUT_OF_MEMORY),
        (
            ImportError("libx.so: failed to map segment from shared object"),
            ExitCode.OUT_OF_MEMORY,
        ),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), ExitCode.OUT_OF_MEMORY),
        (OSError(errno.ENOSPC, "No space left on device"), ExitCode.NO_DISK),
        (
            RuntimeError("I/O error: No space left on device (os error 28)"),
            ExitCode.NO_DISK,
        ),
        (OSError("You are trying to access a gated repo."), ExitCode.NO_ACCESS),
        (OSError("We couldn't connect to 'the hub' to load the files"), ExitCode.NO_ACCESS),
        (ImportError("No module named 'bitsandbytes'"), ExitCode.MISSING_HERE),
        (
            ValueError("Please pass the argument `trust_remote_code=True` to allow custom code"),
            ExitCode.USAGE,
        ),
        (DataError("data.jsonl:3: no"), ExitCode.BAD_DATA),
        (ZeroDivisionError("division by zero"), ExitCode.BUG),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_failure_has_its_exit_code(error: Exception, code: ExitCode) -> None:
    """Each known text maps to its code; what is unknown is a bug that names itself."""
    failure = as_tlplan_error(error)

    assert failure.code == code
    assert "\n" not in failure.message


def test_the_cause_of_a_failure_counts() -> None:
    """Libraries wrap errors; the one inside says what it was."""
    inner = RuntimeError("CUDA out of memory.")
    outer = ValueError("loading failed")
    outer.__cause__ = inner

    assert as_tlplan_error(outer).code == ExitCode.OUT_OF_MEMORY


def test_an_unknown_failure_says_where_the_whole_story_is() -> None:
    """A bug keeps its name and points to the log."""
    failure = as_tlplan_error(KeyError("x"))

    assert "KeyError" in failure.message
    assert "log.txt" in failure.hints[0]
