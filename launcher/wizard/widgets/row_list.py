"""A table whose rows can be walked through and chosen, by key and by mouse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from launcher.view.spans import EMPTY, Line, Span
from launcher.wizard.look import ROLE_CLASSES, role_css
from launcher.wizard.widgets.lines_view import strip_of

_POINTER, _NO_POINTER = Span("  ▸ ", "chosen"), Span("    ")
_BOLD = Style(bold=True)


class RowList(Widget, can_focus=True):
    """Rows below a head line, the current one marked; `more` says how many are out of sight.

    Rows are made when they are shown, so that a key costs the same with ten rows and a thousand.
    """

    COMPONENT_CLASSES = ROLE_CLASSES
    DEFAULT_CSS = "RowList { height: auto; width: 100%; }" + role_css("RowList")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "move(-100000)", show=False),
        Binding("end", "move(100000)", show=False),
    ]

    class Moved(Message):
        """Another row is the current one."""

    class Chosen(Message):
        """The current row was clicked again."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the name textual gives it
        super().__init__(id=id)
        self.head: Line = EMPTY
        self.count = 0
        self.cursor = 0
        self.fixed_rows: int | None = None
        """Rows the list is high, head and note left out; None: as many as it has."""
        self._first = 0
        self._row: Callable[[int], Line] = lambda _: EMPTY

    def show(
        self,
        head: Line,
        rows: Sequence[Line] | Callable[[int], Line],
        *,
        count: int | None = None,
        cursor: int | None = None,
    ) -> None:
        """Show other rows; a function makes the row of a number and needs their `count`."""
        before = self.count
        self.head = head
        if callable(rows):
            assert count is not None
            self._row, self.count = rows, count
        else:
            listed = tuple(rows)
            self._row, self.count = listed.__getitem__, len(listed)
        self.cursor = max(0, min(self.cursor if cursor is None else cursor, self.count - 1))
        self._follow_cursor()
        height = self.styles.height
        grows = self.fixed_rows is None and height is not None and height.is_auto
        self.refresh(layout=grows and before != self.count)

    def get_content_height(self, _container: Size, _viewport: Size, _width: int) -> int:
        """The head and the rows."""
        rows = self.count if self.fixed_rows is None else self.fixed_rows + 1
        return 1 + rows

    @property
    def visible_rows(self) -> range:
        """Numbers of the rows in sight."""
        return range(self._first, min(self.count, self._first + self._room))

    def move_to(self, row: int, *, middle: bool = False) -> None:
        """Make a row the current one, in the middle of what is in sight if asked."""
        row = max(0, min(row, self.count - 1))
        if row != self.cursor:
            left, first, self.cursor = self.cursor, self._first, row
            if middle:
                self._first = row - self._room // 2
            self._follow_cursor()
            if self._first == first:
                self.refresh(self._region_of(left), self._region_of(row))
            else:
                self.refresh()
            self.post_message(self.Moved())

    def _region_of(self, row: int) -> Region:
        return Region(0, 1 + row - self._first, self.size.width, 1)

    def action_move(self, by: int) -> None:
        """Move by rows."""
        self.move_to(self.cursor + by)

    def action_page(self, by: int) -> None:
        """Move by what is in sight; where that is all, the key is for what lies around the list."""
        if self.count <= self._room:
            raise SkipAction
        self.move_to(self.cursor + by * max(1, self._room - 1))

    def render_line(self, y: int) -> Strip:
        """The head, a row, or how many rows are out of sight."""
        width = self.size.width
        if y == 0:
            return strip_of(self, (Span("    "), *self.head), width)
        row = self._first + y - 1
        if row not in self.visible_rows:
            return strip_of(self, self._note() if y == self._room + 1 else EMPTY, width)
        current = row == self.cursor
        pointer = _POINTER if current else _NO_POINTER
        return strip_of(self, (pointer, *self._row(row)), width, _BOLD if current else None)

    def on_resize(self) -> None:
        """Keep the current row in sight."""
        self._follow_cursor()

    def on_click(self, event: events.Click) -> None:
        """A click makes a row the current one; a click on that one chooses it."""
        row = self._first + event.y - 1
        if event.y < 1 or row not in self.visible_rows:
            return
        if row == self.cursor:
            self.post_message(self.Chosen())
        else:
            self.move_to(row)

    def on_mouse_scroll_down(self) -> None:
        """The wheel moves the current row."""
        self.action_move(1)

    def on_mouse_scroll_up(self) -> None:
        """The wheel moves the current row."""
        self.action_move(-1)

    @property
    def _room(self) -> int:
        if self.fixed_rows is not None:
            return self.fixed_rows
        # What does not fit is said in the last row.
        height = max(1, self.size.height - 1)
        return height if self.count <= height else max(1, height - 1)

    def _follow_cursor(self) -> None:
        room = self._room
        self._first = max(0, min(self._first, self.cursor, self.count - room))
        if self.cursor >= self._first + room:
            self._first = self.cursor - room + 1

    def _note(self) -> Line:
        above, below = self._first, self.count - self.visible_rows.stop
        if not above and not below:
            return EMPTY
        told = [f"{number} more {where}" for number, where in ((above, "above"), (below, "below"))
                if number]  # fmt: skip
        return (Span(f"    … {', '.join(told)}", "dim"),)
