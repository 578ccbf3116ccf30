"""The live screen on a terminal. The only file that imports rich (about 25 ms)."""

from __future__ import annotations

import time
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from launcher.runs.events import Event
from launcher.view.progress import RunProgress
from launcher.view.screen import Role, ScreenLine, ScreenSize, screen_lines

REFRESH_SECONDS = 0.25
MOST_ROWS = 24

STYLES: dict[Role, str] = {
    "title": "bold",
    "progress": "cyan",
    "measured": "blue",
    "predicted": "green",
    "verdict": "bold",
    "dim": "dim",
    "plain": "",
}


class LiveDisplay:
    """Draws the screen over itself and leaves nothing behind when it is closed."""

    def __init__(self, out: TextIO, *, footer: str, console: Console | None = None) -> None:
        """`footer` says what the keys do."""
        self._console = console or Console(file=out, highlight=False)
        self._footer = footer
        self._next_refresh = 0.0
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def show(self, event: Event, progress: RunProgress) -> None:
        """Nothing at once: many events may come between two pictures."""

    def refresh(self, progress: RunProgress) -> None:
        """Draw again, at most four times a second."""
        now = time.monotonic()
        if now >= self._next_refresh:
            self._next_refresh = now + REFRESH_SECONDS
            self._live.update(self.picture(progress), refresh=True)

    def say(self, text: str) -> None:
        """Put it where the keys are explained."""
        self._footer = text
        self._next_refresh = 0.0

    def close(self) -> None:
        """Remove the screen and give the cursor back."""
        self._live.stop()

    def picture(self, progress: RunProgress) -> Text:
        """The screen as it is now, one row short of the terminal so that it never scrolls."""
        size = ScreenSize(
            columns=self._console.width - 1,
            rows=min(MOST_ROWS, self._console.height) - 1,
            blocks=self._console.encoding.startswith("utf"),
        )
        lines = screen_lines(progress, size, footer=self._footer)
        return Text("\n", no_wrap=True, overflow="crop", end="").join(map(_styled, lines))


def _styled(line: ScreenLine) -> Text:
    return Text(line.text, style=STYLES[line.role], no_wrap=True, overflow="crop")
