"""An app that holds nothing but the screen of one run, for launch and watch."""

from __future__ import annotations

from pathlib import Path

from textual.app import App

from launcher.wizard.run.screen import Leaving, RunScreen


class RunApp(App[Leaving]):
    """Opens on a run and ends when the person leaves it."""

    TITLE = "tlplan"

    def __init__(
        self, run_folder: Path, *, may_stop: bool = False, ascii_only: bool = False
    ) -> None:
        """With `may_stop` a SIGTERM saves and stops the run, else it only closes the view."""
        super().__init__()
        self.may_stop = may_stop
        self.run_screen = RunScreen(run_folder, ascii_only=ascii_only)

    def on_mount(self) -> None:
        """Show the run."""
        self.push_screen(self.run_screen, self.exit)
