"""An app that holds nothing but the screen of one run, for launch and watch."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from textual import events

from launcher.view.stopping import send_stop
from launcher.wizard.look import DARK
from launcher.wizard.run.ended_screen import EndedScreen
from launcher.wizard.run.screen import Leaving, RunScreen
from launcher.wizard.terminal_app import TerminalApp

ALONE_SECONDS = 60
"""How long the end of a launched run stays on the screen when nobody touches a key."""

_CLOSES = "closes"


class RunApp(TerminalApp[Leaving]):
    """Opens on a run and ends when the person leaves it."""

    def __init__(
        self,
        run_folder: Path,
        *,
        may_stop: bool = False,
        theme: str = DARK,
        ascii_only: bool = False,
        until_seconds: float | None = None,
    ) -> None:
        """With `may_stop` a SIGTERM saves and stops the run, else it only closes the view."""
        super().__init__(theme=theme, ascii_only=ascii_only)
        self.may_stop = may_stop
        self.run_screen = RunScreen(run_folder, until_seconds=until_seconds)
        self._touched_at = 0.0
        self._told_to_end = False

    def on_mount(self) -> None:
        """Show the run."""
        self.push_screen(self.run_screen, self.exit)
        if self.may_stop:
            self.set_interval(1.0, self._close_when_alone)

    async def on_event(self, event: events.Event) -> None:
        """Remember when somebody was here."""
        if isinstance(event, (events.Key, events.MouseDown)):
            self._touched_at = time.monotonic()
        await super().on_event(event)

    async def action_quit(self) -> None:
        """Leave; a run that goes on is told of afterwards."""
        self.exit("closed" if self.run_screen.over else "detached")

    def _close_when_alone(self) -> None:
        """A launch in a script must not wait for ever for a person to press Enter."""
        shown = self.screen
        if self._told_to_end and self.run_screen.over:
            self.exit("closed")
        if not isinstance(shown, EndedScreen):
            return
        if self._touched_at > shown.since:
            if (shown.looking.note or "").startswith(_CLOSES):
                shown.say(None)
            return
        left = ALONE_SECONDS - (time.monotonic() - shown.since)
        if left <= 0:
            self.exit("closed")
        else:
            shown.say(f"{_CLOSES} in {left:.0f} s; any key keeps it open")

    def heard_signals(self) -> tuple[signal.Signals, ...]:
        """SIGINT too where it is meant for the run, as on plain lines."""
        heard = super().heard_signals()
        return (*heard, signal.SIGINT) if self.may_stop else heard

    def told_to_end(self) -> None:
        """Somebody wants this process gone: as with Ctrl-C on plain lines."""
        if self.may_stop and not self.run_screen.over:
            self._told_to_end = True
            send_stop(self.run_screen.folder)
            self.run_screen.say("stopping after this step and saving")
        else:
            super().told_to_end()
