"""Every failure a person can meet, with the exit code it ends in.

TlplanError
├── UsageError          2   unknown flag, model, card; invalid plan file
│   └── BadConfig       2   a config.json that describes no model
├── NothingFits         3   no method fits the memory
├── DataError           4   the data cannot be used
├── MissingHere         5   driver, package or card missing on this machine
├── NoAccess            6   gated model, bad token, Hub unreachable
├── OutOfMemory         7   out of memory, no smaller step left
├── NoDisk              8   not enough disk
├── Diverged            9   NaN or infinite loss
└── Interrupted        75   stopped on request, resumable
"""

from __future__ import annotations

from launcher.exit_codes import ExitCode


class TlplanError(Exception):
    """A failure with a message, what to do next, and an exit code.

    `message` is one line that names the thing and the place; `hints` are the next steps.
    """

    code = ExitCode.BUG

    def __init__(self, message: str, *hints: str) -> None:
        super().__init__(message)
        self.message = message
        self.hints = hints


class UsageError(TlplanError):
    """Something that was typed is wrong."""

    code = ExitCode.USAGE


class BadConfig(UsageError):
    """A config.json that describes no model; `key` is what is missing or wrong in it."""

    def __init__(self, message: str, key: str | None = None) -> None:
        super().__init__(message)
        self.key = key


class NothingFits(TlplanError):
    """No method fits the memory at hand."""

    code = ExitCode.NOTHING_FITS


class DataError(TlplanError):
    """The training data cannot be used."""

    code = ExitCode.BAD_DATA


class MissingHere(TlplanError):
    """Something the command needs is missing on this machine."""

    code = ExitCode.MISSING_HERE


class NoAccess(TlplanError):
    """A model cannot be reached."""

    code = ExitCode.NO_ACCESS


class OutOfMemory(TlplanError):
    """Memory ran out while training."""

    code = ExitCode.OUT_OF_MEMORY


class NoDisk(TlplanError):
    """The disk is too full."""

    code = ExitCode.NO_DISK


class Diverged(TlplanError):
    """The loss or the weights became NaN or infinite."""

    code = ExitCode.DIVERGED


class Interrupted(TlplanError):
    """Stopped on request; the run can be resumed."""

    code = ExitCode.INTERRUPTED
