"""Lines in a box over the screen, closed by Esc."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll

from launcher.view.spans import Line
from launcher.wizard.closing import ClosingModal
from launcher.wizard.widgets.key_bar import Key, KeyBar
from launcher.wizard.widgets.lines_view import LinesView


class Overlay(ClosingModal[None]):
    """Closed by Esc, Enter, space or the key that opened it; the arrows scroll."""

    CSS = """
    Overlay { align: center middle; background: $background 60%; }
    Overlay > Vertical {
        width: 78; max-width: 100%; height: auto; max-height: 100%;
        background: $panel; padding: 1 2 0 2;
    }
    Overlay VerticalScroll {
        height: auto; max-height: 100%; margin-bottom: 1; scrollbar-size: 1 1;
    }
    Overlay KeyBar { dock: bottom; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,question_mark,f1,w,q,space", "dismiss", show=False)
    ]

    def __init__(self, lines: Callable[[int], Sequence[Line]]) -> None:
        super().__init__()
        self._lines = lines

    def compose(self) -> ComposeResult:
        """The lines in a box, with its own keys."""
        with Vertical():
            with VerticalScroll():
                yield LinesView(self._lines)
            yield KeyBar(
                [Key("esc", "Close", "screen.dismiss"), Key("↑↓", "Scroll", "screen.none")]
            )

    def action_none(self) -> None:
        """A key that is only shown."""
