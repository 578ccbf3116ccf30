"""What the five steps share: head, column, explaining panel, message, keys; forward and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events, messages, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from launcher.errors import TlplanError
from launcher.output.lines import filled
from launcher.view.spans import Line, Span, between, line
from launcher.wizard.draft import Draft
from launcher.wizard.head import COLUMN, STEPS, first_column, head_line
from launcher.wizard.widgets.key_bar import COMMANDS, HELP, HELP_WHILE_TYPING, QUIT, Key, KeyBar
from launcher.wizard.widgets.lines_view import LinesView
from launcher.wizard.widgets.row_list import RowList
from launcher.wizard.wording import without_options

if TYPE_CHECKING:
    from launcher.wizard.app import WizardApp

WIDE_FROM = 110
ROOMY_ROWS = 20
LEAST_COLUMNS, LEAST_ROWS = 60, 16


class StepScreen(Screen[None]):
    """A step of the wizard. Its text is made by plain functions from the draft."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "next", show=False),
        Binding("escape", "back", show=False),
        Binding("question_mark,f1", "help", show=False),
        Binding("pageup", "scroll_column(-1)", show=False),
        Binding("pagedown", "scroll_column(1)", show=False),
    ]

    number: ClassVar[int]
    """Place among the steps, counted from 0."""
    app: WizardApp
    _focused_before: Widget | None = None
    _cramped_before = False

    def compose(self) -> ComposeResult:
        """The frame around `body`."""
        yield LinesView(id="head")
        yield LinesView(lambda width: [(Span("─" * width, "dim"),)], id="rule")
        with Horizontal(id="middle"):
            with VerticalScroll(id="column", can_focus=False):
                yield from self.body()
            yield LinesView(lambda _: [(Span("│", "dim"),)] * 200, id="edge")
            with VerticalScroll(id="side", can_focus=False):
                yield LinesView(self.side, id="explained")
        yield LinesView(id="message")
        yield KeyBar()
        yield LinesView(self._too_small, id="small")

    def body(self) -> Iterable[Widget]:
        """The widgets of the column."""
        raise NotImplementedError

    def side(self, width: int) -> Sequence[Line]:
        """Lines of the explaining panel, at most `width` wide."""
        raise NotImplementedError

    def keys(self) -> Sequence[Key]:
        """The keys that work now, the most important first; help and leaving are added."""
        raise NotImplementedError

    def topics(self) -> Sequence[str]:
        """Words of the glossary about what is focused, the nearest first."""
        raise NotImplementedError

    def show_draft(self) -> None:
        """Bring the body up to date with the draft."""
        raise NotImplementedError

    @property
    def narrow(self) -> bool:
        """Whether tables have to do without their last columns."""
        return self.size.width < COLUMN

    @property
    def cramped(self) -> bool:
        """Whether there is room for what is most wanted only."""
        return self.narrow or self.size.height < ROOMY_ROWS

    @property
    def draft(self) -> Draft:
        """What has been answered so far."""
        return self.app.draft

    # The frame.

    def refresh_frame(self) -> None:
        """Bring head, panel and keys up to date."""
        self.query_one("#head", LinesView).show(
            lambda width: [head_line(self.number, self.draft, width, wide=width >= WIDE_FROM)]
        )
        self.query_one("#explained", LinesView).show(self.side)
        self.query_one(KeyBar).show(self._all_keys())

    def _all_keys(self) -> list[Key]:
        # A modal field takes question marks as text.
        help_key = HELP_WHILE_TYPING if self.types_text() else HELP
        return [*self.keys(), help_key, COMMANDS, QUIT]

    def types_text(self) -> bool:
        """Whether letters are text now."""
        return isinstance(self.focused, Input)

    def tell(self, what: str | TlplanError | None, *, kind: str = "note") -> None:
        """Say something above the keys: what happened, and what to do next; None clears it."""
        self.query_one("#message", LinesView).show(lambda width: message_lines(what, kind, width))

    def _too_small(self, width: int) -> list[Line]:
        columns, rows = self.size
        needs = f"tlplan needs {LEAST_COLUMNS} columns and {LEAST_ROWS} rows"
        has = f"this terminal has {columns} and {rows}; nothing is lost"
        return [line(text) for each in (needs, has) for text in filled(each, max(1, width))]

    # Events.

    def on_mount(self) -> None:
        """Begin with what the draft says."""
        self._fit(*self.size)
        self.show_draft()
        self.refresh_frame()

    def on_screen_resume(self) -> None:
        """The draft may have changed meanwhile."""
        # The first painting must be of all, not of what changed under the screen that is gone.
        self.post_message(messages.Update(self))
        self._fit(*self.size)
        self.tell(None)
        self.show_draft()
        self.refresh_frame()

    def on_resize(self, event: events.Resize) -> None:
        """Two layouts, and a line where there is no room for either."""
        self._fit(*event.size)

    def _fit(self, columns: int, rows: int) -> None:
        small = columns < LEAST_COLUMNS or rows < LEAST_ROWS
        if small and not self.has_class("small"):
            self._focused_before = self.focused  # what is hidden loses the focus
        self.set_class(small, "small")
        if not small and self._focused_before is not None:
            self.set_focus(self._focused_before)
            self._focused_before = None
        self.set_class(columns >= WIDE_FROM and not small, "wide")
        self.set_class(columns < COLUMN, "narrow")
        if small:
            self.query_one("#small", LinesView).show(self._too_small)
            return
        if self.cramped != self._cramped_before:
            self._cramped_before = self.cramped
            self.show_draft()
        self.refresh_frame()

    def on_descendant_focus(self) -> None:
        """Other keys may work now."""
        self.refresh_frame()

    @on(Input.Submitted)
    def _enter_in_a_field(self) -> None:
        self.action_next()

    @on(RowList.Chosen)
    def _click_on_the_current_row(self) -> None:
        self.action_next()

    def on_click(self, event: events.Click) -> None:
        """The names of the steps can be clicked."""
        if event.screen_y == 0 and event.widget is not None and event.widget.id == "head":
            column = 0
            for number, name in enumerate(STEPS):
                column = first_column(self.size.width) if number == 0 else column
                end = column + len(name) + 2
                if column <= event.screen_x < end:
                    self.app.go_to(number)
                column = end + 3

    # Actions.

    def action_next(self) -> None:
        """Check the answer and go on; a step that cannot be left says why."""
        raise NotImplementedError

    def action_back(self) -> None:
        """Go to the step before; on the first one nothing happens."""
        if self.number:
            self.app.go_to(self.number - 1)

    def action_scroll_column(self, direction: int) -> None:
        """Show the rest of a small terminal's column."""
        column = self.query_one("#column")
        column.scroll_relative(y=direction * max(1, column.size.height - 2), animate=False)

    def action_help(self) -> None:
        """Explain what is focused."""
        from launcher.wizard.help import help_overlay

        self.app.push_screen(help_overlay(self.topics(), self._all_keys()))


def message_lines(what: str | TlplanError | None, kind: str, width: int) -> list[Line]:
    """A message as lines: the first with its kind, the hints below it."""
    if what is None:
        return []
    text, hints = (what.message, what.hints) if isinstance(what, TlplanError) else (what, ())
    if isinstance(what, TlplanError):
        kind = "error"
    role = "over" if kind == "error" else "tight" if kind == "warning" else "strong"
    room = max(10, width - 10)
    lines: list[Line] = []
    for number, each in enumerate(filled(without_options(" ".join(text.split())), room)):
        label = f" {kind + ':':9}" if number == 0 else " " * 10
        lines.append((Span(label, role), Span(each)))  # type: ignore[arg-type]
    for hint in hints:
        for number, each in enumerate(filled(without_options(" ".join(hint.split())), room)):
            label = " hint:    " if number == 0 else " " * 10
            lines.append((Span(label, "dim"), Span(each)))
    return lines[:5]


def titled(text: str, right: str = "", columns: int = COLUMN) -> Line:
    """The question of a step, with something at the right edge."""
    return between(line(Span(f" {text}", "strong")), line(Span(right, "dim")), columns)
