"""What --gate makes of a run's evidence."""

from __future__ import annotations

from typing import Any

from launcher import stderr
from launcher.exit_codes import ExitCode


def gate_code(report: dict[str, Any] | None) -> ExitCode:
    """DONE when tuned is better beyond doubt, else NOT_BETTER, also without any evidence."""
    if report is not None and report.get("judgement") == "better":
        return ExitCode.DONE
    stderr.note(f"tuned is not shown to be better, so --gate ends with {ExitCode.NOT_BETTER}")
    return ExitCode.NOT_BETTER
