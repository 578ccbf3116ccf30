"""A card that is not in this machine: one of hwdb, or a size in GiB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

import hwdb
from launcher.errors import TlplanError
from launcher.hardware import hardware_for
from launcher.output.numbers import gib
from launcher.view.spans import EMPTY, Line, Span, cut_text, line
from launcher.wizard.closing import ClosingModal
from launcher.wizard.gpu.text import speed_text
from launcher.wizard.head import COLUMN
from launcher.wizard.widgets.key_bar import Key, KeyBar
from launcher.wizard.widgets.lines_view import LinesView
from launcher.wizard.widgets.row_list import RowList
from launcher.wizard.widgets.text_field import TextField
from launcher.wizard.wording import without_options
from planner.budget import Budget, card_title

if TYPE_CHECKING:
    from hwdb.card import Card

_HEAD = line(Span(f"{'Card':22}{'Memory':>10}  {'Speed'}", "dim"))


class Simulated(NamedTuple):
    """A memory to plan with, and how --gpu names it."""

    gpu_argument: str
    budget: Budget


def cards_with(text: str) -> list[Card]:
    """NVIDIA cards with every word of the text in a name: of just that name, then the newest."""
    words = text.lower().replace("-", " ").split()
    newest_first = sorted(hwdb.all_cards(), key=lambda card: card.release_date, reverse=True)
    # "4090" means the rtx-4090, not its laptop or its later sisters.
    cards = sorted(newest_first, key=lambda card: card.id.split("-")[-len(words) :] != words)
    return [
        card
        for card in cards
        if card.vendor == "nvidia" and card.memory_bytes is not None
        if all(word in _searched(card) for word in words)
    ]


def _searched(card: Card) -> str:
    return f"{card.id} {card.id.replace('-', ' ')} {card.name} {card.architecture}".lower()


_NARROW_HEAD = line(Span(f"{'Card':30}{'Memory':>10}", "dim"))


def card_row(card: Card, *, narrow: bool = False) -> Line:
    """One row: name, memory, speed."""
    assert card.memory_bytes is not None
    memory = f"{gib(card.memory_bytes)} GiB"
    if narrow:
        return line(f"{cut_text(card.id, 29):30}{memory:>10}")
    return line(f"{cut_text(card.id, 21):22}{memory:>10}  ", Span(speed_text(card), "dim"))


class SimulateScreen(ClosingModal[Simulated | None]):
    """A field that filters the cards, or takes a size; Enter takes the current row."""

    CSS = """
    SimulateScreen { align: center middle; background: $background 60%; }
    SimulateScreen > Vertical {
        width: 78; max-width: 100%; height: 20; max-height: 100%;
        background: $panel; padding: 1 2;
    }
    SimulateScreen RowList { height: 1fr; }
    """
    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("enter", "take", show=False),
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._cards: Sequence[Card] = ()

    def compose(self) -> ComposeResult:
        """A field, the cards, and the keys."""
        with Vertical():
            title = "Which card? A name filters; a size such as 24GiB is taken as it is"
            yield LinesView([line(Span(title, "strong")), EMPTY], wraps=True)
            yield TextField(placeholder="rtx 4090, a100, 24GiB …", classes="line")
            yield RowList(id="cards")
            yield LinesView(id="wrong", wraps=True)
            yield KeyBar(
                [
                    Key("enter", "Take it", "screen.take"),
                    Key("esc", "Cancel", "screen.leave"),
                    Key("tab", "List", "app.focus_next"),
                ]
            )

    def on_mount(self) -> None:
        """All cards to begin with."""
        self._show("")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._show(event.value)

    def _show(self, text: str) -> None:
        self._cards = cards_with(text)
        rows = self.query_one(RowList)
        narrow = self.app.size.width < COLUMN
        rows.show(
            _NARROW_HEAD if narrow else _HEAD,
            lambda row: card_row(self._cards[row], narrow=narrow),
            count=len(self._cards),
            cursor=0,
        )
        wrong: list[Line] = []
        if not self._cards:
            wrong = [line(Span("no card of hwdb has these words; Enter takes a size", "dim"))]
        self.query_one("#wrong", LinesView).show(wrong)

    @on(Input.Submitted)
    def _entered(self) -> None:
        self.action_take()

    @on(RowList.Chosen)
    def _clicked(self) -> None:
        self.action_take()

    def action_move(self, by: int) -> None:
        """Arrows move in the list also while typing."""
        self.query_one(RowList).action_move(by)

    def action_take(self) -> None:
        """Take the size that was typed, else the current card."""
        text = self.query_one(Input).value.strip()
        if text and not self._cards:
            try:
                budget = hardware_for([text], host_without_gpu=False).budget
            except TlplanError as failure:
                self._refuse(failure)
                return
            assert budget is not None
            self.dismiss(Simulated(text, budget))
            return
        card = self._cards[self.query_one(RowList).cursor]
        budget = hardware_for([card.id], host_without_gpu=False).budget
        assert budget is not None, card_title(card)
        self.dismiss(Simulated(card.id, budget))

    def _refuse(self, failure: TlplanError) -> None:
        lines = [line(Span("error: ", "over"), cut_text(without_options(failure.message), 66))]
        lines += [
            line(Span("hint:  ", "dim"), cut_text(without_options(hint), 66))
            for hint in failure.hints[:1]
        ]
        self.query_one("#wrong", LinesView).show(lines)

    def action_leave(self) -> None:
        """Go back without a card."""
        self.dismiss(None)
