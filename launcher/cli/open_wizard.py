"""`tlplan` without words: the wizard on a terminal, and what it ended in."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from launcher.exit_codes import ExitCode

if TYPE_CHECKING:
    from launcher.wizard.app import Outcome


def can_open() -> bool:
    """Whether a person sits at a terminal that can show screens."""
    if os.environ.get("TEXTUAL_DRIVER"):  # a browser, through tlplan serve
        return True
    if sys.stdin is None or sys.stdout is None or os.environ.get("TERM", "dumb") == "dumb":
        return False
    return sys.stdin.isatty() and sys.stdout.isatty()


def open_wizard() -> ExitCode:
    """Show the wizard; exit code of the run it started and stayed with, else 0."""
    from launcher.wizard.app import WizardApp  # textual: about 150 ms

    app = WizardApp()
    outcome = app.run()
    if app.return_code:
        return ExitCode.BUG
    return ExitCode.DONE if outcome is None else conclude(outcome)


def conclude(outcome: Outcome) -> ExitCode:
    """Say what the wizard ended in, so that nothing answered is lost with its screen."""
    from launcher import stderr
    from launcher.wizard.start.command import command_text

    if outcome.kind == "started" and outcome.path is not None:
        from launcher.runs.folder import RunFolder
        from launcher.view.attend import ViewOptions, attend

        return attend(RunFolder(outcome.path), ViewOptions(), may_stop=True)
    if outcome.kind == "saved" and outcome.path is not None:
        sys.stdout.write(f"saved {outcome.path.name}\ntlplan launch {outcome.path.name}\n")
    elif outcome.draft.model is not None:
        stderr.note(f"so far: {command_text(outcome.draft)}")
    return ExitCode.DONE
