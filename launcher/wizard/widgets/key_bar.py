"""The last line: the keys that work now, each of which can be clicked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textual import events
from textual.strip import Strip
from textual.widget import Widget

from launcher.view.spans import Line, Span
from launcher.wizard.look import ROLE_CLASSES, role_css
from launcher.wizard.widgets.lines_view import strip_of

_GAP = 3


class Key(NamedTuple):
    """A key, what it does in a word or two, and its action."""

    key: str
    does: str
    action: str


HELP = Key("?", "Help", "screen.help")
HELP_WHILE_TYPING = Key("f1", "Help", "screen.help")
"""A question mark in a text field is text."""
COMMANDS = Key("^p", "Commands", "app.command_palette")
QUIT = Key("^q", "Quit", "app.quit")


class KeyBar(Widget):
    """As many of its keys as the line holds; the last ones are left out first."""

    COMPONENT_CLASSES = ROLE_CLASSES
    DEFAULT_CSS = "KeyBar { height: 1; width: 100%; }" + role_css("KeyBar")

    def __init__(self, keys: Sequence[Key] = ()) -> None:
        super().__init__(id="keys")
        self._keys = tuple(keys)

    def show(self, keys: Sequence[Key]) -> None:
        """Show other keys."""
        if tuple(keys) != self._keys:
            self._keys = tuple(keys)
            self.refresh()

    def shown_keys(self) -> list[tuple[int, Key]]:
        """Keys with the column each begins at."""
        column, shown = 1, []
        for key in self._keys:
            end = column + len(key.key) + 1 + len(key.does)
            if end > self.size.width:
                break
            shown.append((column, key))
            column = end + _GAP
        return shown

    def render_line(self, y: int) -> Strip:
        """The line."""
        spans: Line = (Span(" "),)
        for column, key in self.shown_keys() if y == 0 else ():
            gap = Span("" if column == 1 else " " * _GAP)
            spans = (*spans, gap, Span(key.key, "strong"), Span(f" {key.does}", "dim"))
        return strip_of(self, spans, self.size.width)

    async def on_click(self, event: events.Click) -> None:
        """A click does what the key does."""
        for column, key in self.shown_keys():
            if column <= event.x < column + len(key.key) + 1 + len(key.does):
                await self.screen.run_action(key.action)
