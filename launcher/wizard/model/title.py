"""The first line of the model step: the question, the filter, how many rows it leaves."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal

from launcher.view.spans import Span, line
from launcher.wizard.widgets.lines_view import LinesView
from launcher.wizard.widgets.text_field import TextField


class Title(Horizontal):
    """One line."""

    def __init__(self) -> None:
        super().__init__(id="title")

    def compose(self) -> ComposeResult:
        """Three parts."""
        yield LinesView([line(Span(" Which model?  ", "strong"), Span(" Filter ", "dim"))])
        yield TextField(placeholder="name, org/model, folder", classes="line")
        yield LinesView(id="count")
