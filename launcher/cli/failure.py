"""What a person reads when a command fails, and the exit code it ends with."""

from __future__ import annotations

import json
import sys

from launcher import stderr
from launcher.errors import TlplanError, UsageError
from launcher.exit_codes import ExitCode

OPTION_OF_FIELD = {
    "micro_batch": "--batch",
    "sequence_tokens": "--seq",
    "accumulation": "--accumulate",
    "trainable_layers": "--train-last",
    "adapter.rank": "--rank",
    "adapter.targets": "--targets",
    "optimizer": "--optimizer",
    "weights": "--weights",
    "checkpointing": "--checkpointing",
    "attention": "--attention",
    "loss": "--loss",
}
"""Field of a planner's request -> the option that sets it."""


def tell(failure: BaseException, *, as_json: bool) -> int:
    """Say what failed on stderr, with `as_json` also on stdout as one JSON document."""
    if isinstance(failure, KeyboardInterrupt):
        return ExitCode.STOPPED
    told = _as_told(failure)
    stderr.error(told)
    if as_json:
        sys.stdout.write(json.dumps(error_document(told), indent=2) + "\n")
    return told.code


def error_document(failure: TlplanError) -> dict[str, object]:
    """A failure as data, the same for every command."""
    return {
        "schema_version": 1,
        "error": {
            "code": failure.code.name,
            "message": failure.message,
            "hints": list(failure.hints),
        },
    }


def _as_told(failure: BaseException) -> TlplanError:
    from hwdb import NotFound
    from hwdb.user import UserRowError
    from planner.request import RequestError
    from planner.shape import ShapeError

    if isinstance(failure, TlplanError):
        return failure
    if isinstance(failure, NotFound):
        from launcher.unknown_name import unknown_name

        return unknown_name(failure)
    if isinstance(failure, RequestError):
        option = OPTION_OF_FIELD.get(failure.field_name)
        text = str(failure)
        return UsageError(text.replace(failure.field_name, option, 1) if option else text)
    if isinstance(failure, UserRowError):
        return UsageError(str(failure), "mend the row, or move the file away")
    if isinstance(failure, ShapeError):
        return UsageError(f"this model cannot be planned: {failure}")
    from launcher.crash_report import without_secrets, write_report

    path = write_report(failure, sys.argv)
    where = f"the report is in {path}" if path else "no report could be written"
    return TlplanError(
        without_secrets(f"something unexpected failed: {type(failure).__name__}: {failure}"),
        f"{where}; tlplan doctor prints what else helps to find the cause",
    )
