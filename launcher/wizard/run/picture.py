"""A widget that shows lines of spans and paints again only the lines that changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from launcher.view.spans import EMPTY, Line, as_ascii
from launcher.wizard.run.colours import role_styles

if TYPE_CHECKING:
    from rich.style import Style


class Picture(Widget):
    """Shows what it was given last."""

    DEFAULT_CSS = """
    Picture { width: 1fr; height: 1fr; }
    """

    def __init__(self, *, ascii_only: bool = False, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._lines: list[Line] = []
        self._ascii_only = ascii_only
        self._styles: dict[str, Style] = {}

    def show(self, lines: Sequence[Line]) -> None:
        """Take new lines; those that are as before are not painted again."""
        before, self._lines = self._lines, list(lines)
        rows = max(len(before), len(self._lines))
        changed = [
            Region(0, row, self.size.width, 1)
            for row in range(rows)
            if self._line(before, row) != self._line(self._lines, row)
        ]
        if changed:
            self.refresh(*changed)

    def on_mount(self) -> None:
        """Follow the theme, also when it is changed."""
        self._take_theme()
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self._take_theme())

    def render_line(self, y: int) -> Strip:
        """One line, as wide as the widget."""
        base = self.rich_style
        segments = [
            Segment(
                as_ascii(span.text) if self._ascii_only else span.text,
                base + self._styles.get(span.role, base),
            )
            for span in self._line(self._lines, y)
        ]
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def _take_theme(self) -> None:
        self._styles = role_styles(self.app.current_theme)
        self.refresh()

    @staticmethod
    def _line(lines: Sequence[Line], row: int) -> Line:
        return lines[row] if 0 <= row < len(lines) else EMPTY
