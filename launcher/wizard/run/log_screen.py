"""log.txt of a run on the whole screen, followed as it grows, with find."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from launcher.view.log_file import LogFile, found
from launcher.view.looking import Size
from launcher.view.screen.log_page import LogPlace, log_page
from launcher.view.spans import Line
from launcher.wizard.closing import ClosingScreen
from launcher.wizard.run.picture import Picture
from launcher.wizard.widgets.key_bar import Key, KeyBar
from launcher.wizard.widgets.text_field import TextField

REFRESH_SECONDS = 0.1
"""New lines come in at most ten times a second."""

_KEYS = (
    Key("esc", "Back", "screen.back"),
    Key("/", "Find", "screen.find"),
    Key("n", "Next", "screen.next(True)"),
    Key("N", "Previous", "screen.next(False)"),
    Key("end", "Follow", "screen.end"),
)
_KEYS_WHILE_TYPING = (Key("enter", "Find", "screen.none"), Key("esc", "Leave it", "screen.back"))


class LogScreen(ClosingScreen[None]):
    """Reads the file; Esc goes back."""

    AUTO_FOCUS = ""  # Nothing: keys belong to the page until somebody wants to find.
    CSS = """
    LogScreen Input { height: 1; border: none; padding: 0; }
    LogScreen Input:focus { border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,l,q", "back", show=False),
        Binding("slash", "find", show=False),
        Binding("n", "next(True)", show=False),
        Binding("N,upper_n", "next(False)", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown,space", "page(1)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end", "end", show=False),
    ]

    def __init__(self, path: Path, title: str) -> None:
        super().__init__()
        self._title = title
        self._log = LogFile(path)
        self._place = LogPlace()
        self._note = ""
        self._picture = Picture(self._lines)
        self._keys = KeyBar(_KEYS)
        self._input = TextField(placeholder="text to find", select_on_focus=True)
        self._input.display = False

    def compose(self) -> ComposeResult:
        """The page, the line to type in, the keys."""
        yield self._picture
        yield self._input
        yield self._keys

    def on_mount(self) -> None:
        """Follow the file; its end is there at the first painting."""
        self._log.read()
        self.set_interval(REFRESH_SECONDS, self._read)
        self.call_after_refresh(self._read)

    def on_resize(self) -> None:
        """Another size, another page."""
        self._draw()

    @property
    def _rows(self) -> int:
        return max(1, self._picture.size.height - 1)

    def _read(self) -> None:
        if self._log.read():
            self.call_later(self._read)
        self._draw()

    def _draw(self) -> None:
        self._picture.draw()

    def _lines(self, size: Size) -> list[Line]:
        lines, place = list(self._log.lines), self._place
        place.settle(len(lines), max(1, size.rows - 1))
        note = self._log.problem or self._note
        return log_page(
            lines, place, columns=size.columns, rows=size.rows, title=self._title, note=note
        )

    def action_back(self) -> None:
        """Leave the line to type in, or the log."""
        if self._input.display:
            self._stop_typing()
        else:
            self.dismiss()

    def action_find(self) -> None:
        """Type what to look for."""
        self._input.display = True
        self._keys.show(_KEYS_WHILE_TYPING)
        # At once: the next key may be pressed already.
        self.set_focus(self._input)

    def on_input_submitted(self) -> None:
        """Look for it, from the newest line back."""
        self._place.find = self._input.value
        self._stop_typing()
        self._go(forward=False, start=self._place.first + self._rows)

    def action_next(self, forward: bool) -> None:
        """The next place with it."""
        at = self._place.hit
        self._go(forward=forward, start=self._place.first if at is None else at)

    def _go(self, *, forward: bool, start: int) -> None:
        if not self._place.find:
            return
        lines = self._log.lines
        hit = found(lines, self._place.find, start=min(start, len(lines)), forward=forward)
        self._note = f"“{self._place.find}” is not in it" if hit is None else ""
        self._place.go_to(hit, count=len(lines), rows=self._rows)
        self._draw()

    def _stop_typing(self) -> None:
        self._input.display = False
        self._keys.show(_KEYS)
        self.set_focus(None)

    def action_move(self, by: int) -> None:
        """Scroll by lines."""
        self._note = ""
        self._place.move(by, count=len(self._log.lines), rows=self._rows)
        self._draw()

    def action_page(self, by: int) -> None:
        """Scroll by pages."""
        self.action_move(by * max(1, self._rows - 1))

    def action_end(self) -> None:
        """Follow the newest lines again."""
        self._place.follow = True
        self._draw()

    def on_picture_scrolled(self, event: Picture.Scrolled) -> None:
        """The wheel scrolls three lines."""
        self.action_move(3 * event.by)
