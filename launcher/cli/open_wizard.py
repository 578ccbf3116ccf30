"""`tlplan` without words: the wizard on a terminal, and what it ended in."""

from __future__ import annotations

import os
import sys
from pathlib import Path
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
    from launcher.wizard.taste import kept_theme

    app = WizardApp(theme=kept_theme())
    app.keep_theme_choices()
    app.collect_between_keys()
    outcome = app.run_and_tell()
    in_browser = bool(os.environ.get("TEXTUAL_DRIVER"))  # where nobody reads a terminal
    return ExitCode.DONE if outcome is None or in_browser else conclude(outcome)


def conclude(outcome: Outcome) -> ExitCode:
    """Say what the wizard ended in, so that nothing answered is lost with its screen."""
    from launcher import stderr
    from launcher.wizard.start.command import command_text

    if outcome.kind == "started" and outcome.path is not None:
        return _last_word_of_run(outcome.path)
    if outcome.kind == "saved" and outcome.path is not None:
        sys.stdout.write(f"saved {outcome.path.name}\ntlplan launch {outcome.path.name}\n")
    elif outcome.draft.model is not None:
        stderr.note(f"so far: {command_text(outcome.draft)}")
    return ExitCode.DONE


def _last_word_of_run(path: Path) -> ExitCode:
    """How the run stands now that its screen is closed."""
    from launcher.runs.folder import RunFolder
    from launcher.view.attend import ViewOptions, last_word
    from launcher.view.follow import Followed
    from launcher.view.reader import RunReader

    reader = RunReader(RunFolder(path))
    while reader.read():
        pass
    followed = Followed(progress=reader.progress, liveness=reader.liveness)
    return last_word(followed, reader.folder, ViewOptions(), sys.stdout)
