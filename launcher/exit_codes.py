"""The numbers a command ends with; scripts rely on them."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Process exit codes, stable across versions."""

    DONE = 0
    """Done; for a check: answered, and at least one method fits or there is no card to judge."""
    BUG = 1
    """Something unexpected failed; the path of a report is printed."""
    USAGE = 2
    """Unknown flag, model or card; invalid plan file."""
    NOTHING_FITS = 3
    """Answered: no method fits. `launch` refuses."""
    BAD_DATA = 4
    """The data cannot be used."""
    MISSING_HERE = 5
    """The launch needs something this machine lacks: driver, package, card."""
    NO_ACCESS = 6
    """Gated model, bad token, or Hub unreachable and nothing cached."""
    OUT_OF_MEMORY = 7
    """Out of memory, and no smaller step was left."""
    NO_DISK = 8
    """Not enough disk."""
    DIVERGED = 9
    """NaN or infinite loss or weights."""
    NOT_BETTER = 10
    """Only with --gate: the tuned model did not beat the base model."""
    INTERRUPTED = 75
    """Interrupted and resumable; `tlplan resume RUN` goes on."""
    STOPPED = 130
    """Interrupted twice: stopped at once; the last verified checkpoint is intact."""
