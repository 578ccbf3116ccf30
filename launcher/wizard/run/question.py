"""A question over the screen; the answer that changes nothing is the one Enter gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from launcher.view.spans import EMPTY, Line, Span, line
from launcher.wizard.closing import ClosingModal
from launcher.wizard.widgets.key_bar import Key, KeyBar
from launcher.wizard.widgets.lines_view import LinesView


class Question(ClosingModal[bool]):
    """Yes or no."""

    CSS = """
    Question { align: center middle; background: $background 60%; }
    Question > Vertical {
        width: 66; max-width: 100%; height: auto; background: $panel; padding: 1 2;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,ctrl+c", "answer(True)", show=False),
        Binding("n,escape,enter", "answer(False)", show=False),
    ]

    def __init__(self, title: str, lines: Sequence[str], *, yes: str, no: str) -> None:
        super().__init__()
        self._title, self._texts, self._yes, self._no = title, lines, yes, no

    def compose(self) -> ComposeResult:
        """What is asked, what it means, the two answers."""
        told: list[Line] = [line(Span(self._title, "title")), EMPTY]
        told += [line(text) for text in self._texts]
        with Vertical():
            yield LinesView([*told, EMPTY])
            yield KeyBar(
                [
                    Key("y", self._yes, "screen.answer(True)"),
                    Key("n", self._no, "screen.answer(False)"),
                ]
            )

    def action_answer(self, yes: bool) -> None:
        """Close with the answer."""
        self.dismiss(yes)
