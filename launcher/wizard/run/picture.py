"""A widget that shows a whole screen of lines and paints again only those that changed.

The lines are made for the size it has when it is painted: a screen that was just opened is
painted before it is told its size, and must not be seen empty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from launcher.view.looking import Size
from launcher.view.spans import EMPTY, Line
from launcher.wizard.look import ROLE_CLASSES, role_css
from launcher.wizard.widgets.lines_view import changed_rows, strip_of


class Picture(Widget):
    """Shows what `lines` makes for its size."""

    COMPONENT_CLASSES = ROLE_CLASSES
    DEFAULT_CSS = "Picture { width: 1fr; height: 1fr; }" + role_css("Picture")

    class Clicked(Message):
        """A line was clicked."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    class Scrolled(Message):
        """The wheel was turned: -1 is up."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    def __init__(self, lines: Callable[[Size], Sequence[Line]]) -> None:
        super().__init__()
        self._make = lines
        self._made_for: Size | None = None
        self._lines: list[Line] = []

    @property
    def shown_size(self) -> Size:
        """Columns and rows there are."""
        columns, rows = self.size
        return Size(columns=columns, rows=rows)

    def draw(self) -> None:
        """Make the lines anew; those that are as before are not painted again."""
        before = self._lines
        self._remake()
        if changed := changed_rows(before, self._lines, self.size.width):
            self.refresh(*changed)

    def _remake(self) -> None:
        self._made_for = self.shown_size
        self._lines = list(self._make(self._made_for)) if self.size else []

    def render_line(self, y: int) -> Strip:
        """One line, as wide as the widget."""
        if self._made_for != self.shown_size:
            self._remake()
        return strip_of(self, self._lines[y] if y < len(self._lines) else EMPTY, self.size.width)

    def on_click(self, event: events.Click) -> None:
        """Say which line."""
        self.post_message(self.Clicked(event.y))

    def on_mouse_scroll_down(self) -> None:
        """Towards the newest."""
        self.post_message(self.Scrolled(1))

    def on_mouse_scroll_up(self) -> None:
        """Back in time."""
        self.post_message(self.Scrolled(-1))
