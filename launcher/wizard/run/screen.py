"""The screen of one run, live or ended; any Textual app can push it.

    app.push_screen(RunScreen(run_folder), callback)

The callback gets a `Leaving`: how the person left.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer

from launcher.runs.folder import RunFolder
from launcher.view.looking import Looking, Size
from launcher.view.reader import RunReader
from launcher.view.result import shown_path
from launcher.view.screen.layout import run_lines
from launcher.wizard.run.picture import Picture

if TYPE_CHECKING:
    from textual.app import ComposeResult

REFRESH_SECONDS = 0.5
Leaving = Literal["detached", "closed", "new plan"]
"""The run goes on without a view; it is over and was looked at; another one is wanted."""


class RunScreen(Screen[Leaving]):
    """Reads a run folder twice a second and shows it until the person leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "detach", "Leave it running"),
        Binding("c", "next_chart", "Chart"),
        Binding("space", "freeze", "Freeze view", show=False),
    ]

    def __init__(self, run_folder: Path, *, ascii_only: bool = False) -> None:
        super().__init__()
        self.reader = RunReader(RunFolder(run_folder))
        self.looking = Looking()
        self._picture = Picture(ascii_only=ascii_only)

    def compose(self) -> ComposeResult:
        """The picture and the keys."""
        yield self._picture
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Start looking."""
        self.set_interval(REFRESH_SECONDS, self.look)
        self.call_after_refresh(self.look)

    def on_resize(self) -> None:
        """Another size, another layout."""
        self.draw()

    def look(self) -> None:
        """Read what is new and show it; a long log is read in several goes."""
        self.reader.read()
        if not self.looking.frozen:
            self.draw()
        if not self.reader.caught_up:
            self.call_later(self.look)

    def draw(self) -> None:
        """Show what was read."""
        size = Size(columns=self._picture.size.width, rows=self._picture.size.height)
        lines = run_lines(
            self.reader.progress,
            size,
            self.looking,
            folder=shown_path(self.reader.folder.path),
            trouble=self.reader.problem,
        )
        self._picture.show(lines)

    def action_detach(self) -> None:
        """Leave; the run goes on."""
        self.dismiss("detached" if self.reader.liveness == "running" else "closed")

    def action_next_chart(self) -> None:
        """Memory, loss, speed."""
        self.looking.next_chart()
        self.draw()

    def action_freeze(self) -> None:
        """Hold the view; the run and the reading go on."""
        self.looking.frozen = not self.looking.frozen
        self.draw()
