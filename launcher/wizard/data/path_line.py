"""The path of the rows: its label, and a field that completes it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal

from launcher.view.spans import Span, line
from launcher.wizard.data.reading import completed, is_file
from launcher.wizard.widgets.lines_view import LinesView
from launcher.wizard.widgets.text_field import TextField


class PathLine(Horizontal):
    """The path's label and field."""

    def __init__(self) -> None:
        super().__init__(id="file")

    def compose(self) -> ComposeResult:
        """One line."""
        yield LinesView([line(Span("   File or Hub name  ", "dim"))])
        yield _PathField(placeholder="./train.jsonl", classes="line", select_on_focus=False)


class _PathField(TextField):
    """Completes paths."""

    def complete(self) -> bool:
        """Add what all paths that begin like this share."""
        longer = None if is_file(self.value.strip()) else completed(self.value)
        if longer is None:
            return False
        self.value = longer
        self.cursor_position = len(longer)
        return True

    def action_cursor_right(self, select: bool = False) -> None:
        """Right behind the last letter completes too, as in fish."""
        if self.cursor_position < len(self.value) or not self.complete():
            super().action_cursor_right(select)
