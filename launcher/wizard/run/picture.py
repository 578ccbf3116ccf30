"""A widget that shows a whole screen of lines and paints again only those that changed."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from launcher.view.spans import EMPTY, Line
from launcher.wizard.look import ROLE_CLASSES, role_css
from launcher.wizard.widgets.lines_view import strip_of


class Picture(Widget):
    """Shows the lines it was given last."""

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

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[Line] = []

    def show(self, lines: Sequence[Line]) -> None:
        """Take new lines; those that are as before are not painted again."""
        before, self._lines = self._lines, list(lines)
        changed = [
            Region(0, row, self.size.width, 1)
            for row in range(max(len(before), len(self._lines)))
            if _at(before, row) != _at(self._lines, row)
        ]
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        """One line, as wide as the widget."""
        return strip_of(self, _at(self._lines, y), self.size.width)

    def on_click(self, event: events.Click) -> None:
        """Say which line."""
        self.post_message(self.Clicked(event.y))

    def on_mouse_scroll_down(self) -> None:
        """Towards the newest."""
        self.post_message(self.Scrolled(1))

    def on_mouse_scroll_up(self) -> None:
        """Back in time."""
        self.post_message(self.Scrolled(-1))


def _at(lines: Sequence[Line], row: int) -> Line:
    return lines[row] if 0 <= row < len(lines) else EMPTY
