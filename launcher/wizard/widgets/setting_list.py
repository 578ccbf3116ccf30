"""Settings with a value each: walked through, changed by left and right, or typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from launcher.view.spans import EMPTY, Line, Span
from launcher.wizard.head import COLUMN
from launcher.wizard.look import ROLE_CLASSES, role_css
from launcher.wizard.settings import Setting
from launcher.wizard.widgets.lines_view import strip_of

_BOLD = Style(bold=True)
_LONGEST_TYPED = 12


class SettingList(Widget, can_focus=True):
    """One line a setting. Typing a digit opens a field in its place, where every key is text."""

    COMPONENT_CLASSES = ROLE_CLASSES
    DEFAULT_CSS = "SettingList { height: auto; width: 100%; }" + role_css("SettingList")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("left,h", "change(-1)", show=False),
        Binding("right,l", "change(1)", show=False),
        Binding("delete,backspace", "reset", show=False),
    ]

    class Moved(Message):
        """Another setting is the current one."""

    class Changed(Message):
        """The value next to the current one is wanted."""

        def __init__(self, key: str, direction: int) -> None:
            super().__init__()
            self.key, self.direction = key, direction

    class Typed(Message):
        """A value was typed."""

        def __init__(self, key: str, text: str) -> None:
            super().__init__()
            self.key, self.text = key, text

    class Reset(Message):
        """The setting shall be left to the planner again."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, *, label_width: int = 12, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._label_width = label_width
        self._settings: tuple[Setting, ...] = ()
        self._cursor = 0
        self.typed: str | None = None
        """What is being typed; None while nothing is."""

    def show(self, settings: Sequence[Setting]) -> None:
        """Show other values."""
        current = self.current
        before, self._settings = len(self._settings), tuple(settings)
        keys = [each.key for each in self._settings]
        if current is not None and current.key in keys:
            self._cursor = keys.index(current.key)
        self._cursor = max(0, min(self._cursor, len(self._settings) - 1))
        self.refresh(layout=before != len(self._settings))

    @property
    def current(self) -> Setting | None:
        """The setting that keys change."""
        return self._settings[self._cursor] if self._settings else None

    @property
    def _label_columns(self) -> int:
        """Less where every column counts."""
        if self.app.size.width >= COLUMN:
            return self._label_width
        return min(self._label_width, max(len(each.label) for each in self._settings))

    def get_content_height(self, _container: Size, _viewport: Size, _width: int) -> int:
        """One row a setting."""
        return len(self._settings)

    def render_line(self, y: int) -> Strip:
        """A label, a value and a note."""
        width = self.size.width
        if y >= len(self._settings):
            return strip_of(self, EMPTY, width)
        setting = self._settings[y]
        current = y == self._cursor and self.has_focus
        label = Span(f"{setting.label:{self._label_columns}} ", "plain")
        line: Line
        if current and self.typed is not None:
            line = (label, Span("> ", "chosen"), Span(f"{self.typed}█", "chosen"))
        elif current:
            line = (
                label,
                Span("◂ ", "chosen"),
                Span(setting.value, "chosen"),
                Span(" ▸", "chosen"),
            )
        else:
            line = (label, Span(f"  {setting.value}  "))
        line = (*line, Span(f"   {setting.note}" if setting.note else "", "dim"))
        return strip_of(self, line, width, _BOLD if current else None)

    def action_move(self, by: int) -> None:
        """Go to another setting; what was typed is taken first."""
        if self.typed is not None:
            self.take_typed()
            return
        self._cursor = max(0, min(self._cursor + by, len(self._settings) - 1))
        self.refresh()
        self.post_message(self.Moved())

    def action_change(self, direction: int) -> None:
        """Ask for the next value."""
        if self.current is not None and self.typed is None:
            self.post_message(self.Changed(self.current.key, direction))

    def action_reset(self) -> None:
        """Leave the setting to the planner."""
        if self.current is not None:
            self.post_message(self.Reset(self.current.key))

    def accept(self) -> None:
        """What was typed is taken."""
        self.typed = None
        self.refresh()

    def on_key(self, event: events.Key) -> None:
        """Digits begin a value; while one is typed every letter belongs to it."""
        current = self.current
        if current is None:
            return
        if self.typed is None:
            if current.typed and event.character is not None and event.character.isdigit():
                self.typed = event.character
                self._stop(event)
            return
        if event.key == "enter":
            self.take_typed()
        elif event.key == "escape":
            self.accept()
        elif event.key == "backspace":
            self.typed = self.typed[:-1]
        elif event.is_printable and event.character is not None:
            self.typed = (self.typed + event.character)[:_LONGEST_TYPED]
        elif event.key in ("tab", "shift+tab", "up", "down"):
            self.take_typed()
        elif event.key not in ("left", "right", "delete"):
            return
        self._stop(event)

    def on_blur(self) -> None:
        """What was typed and not taken is dropped: a mouse can leave a field, a key cannot."""
        self.accept()

    def on_click(self, event: events.Click) -> None:
        """A click on a setting chooses it, one on its arrows changes it."""
        if event.y >= len(self._settings) or self.typed is not None:
            return
        chosen = event.y == self._cursor
        self._cursor = event.y
        self.refresh()
        self.post_message(self.Moved())
        if chosen and event.x >= self._label_columns:
            middle = self._label_columns + 3 + len(self._settings[event.y].value) // 2
            self.action_change(-1 if event.x < middle else 1)

    def take_typed(self) -> None:
        """Hand over what is typed; it stays open until it is accepted."""
        assert self.typed is not None
        assert self.current is not None
        self.post_message(self.Typed(self.current.key, self.typed))

    def _stop(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        self.refresh()
