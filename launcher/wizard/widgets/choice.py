"""A button in brackets, as wide as its text."""

from __future__ import annotations

from rich.style import Style
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from launcher.view.spans import Span, line
from launcher.wizard.look import ROLE_CLASSES, role_css
from launcher.wizard.widgets.lines_view import strip_of

_REVERSED = Style(reverse=True)


class Choice(Widget, can_focus=True):
    """Chosen by a click, or by Enter while it has the focus."""

    COMPONENT_CLASSES = ROLE_CLASSES
    DEFAULT_CSS = "Choice { height: 1; width: auto; margin-right: 3; }" + role_css("Choice")

    class Pressed(Message):
        """The choice was taken."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

    def __init__(self, text: str, *, id: str) -> None:  # noqa: A002 - the name textual gives it
        super().__init__(id=id)
        self._text = text

    def get_content_width(self, _container: Size, _viewport: Size) -> int:
        """The text and its brackets."""
        return len(self._text) + 4

    def get_content_height(self, _container: Size, _viewport: Size, _width: int) -> int:
        """One row."""
        return 1

    def render_line(self, y: int) -> Strip:
        """The text, reversed while it has the focus."""
        spans = line(Span(f"[ {self._text} ]", "strong")) if y == 0 else ()
        return strip_of(self, spans, self.size.width, _REVERSED if self.has_focus else None)

    def on_click(self) -> None:
        """Take it."""
        self.post_message(self.Pressed(self))
