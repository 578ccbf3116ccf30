"""Step 2: which model, with a verdict for each method on the chosen card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from launcher.errors import TlplanError
from launcher.models import resolve_model
from launcher.view.spans import Line
from launcher.wizard.draft import ChosenModel, with_model
from launcher.wizard.model.listing import (
    Catalogue,
    Listed,
    chosen_of,
    read_model,
    shape_of,
    suggestion,
)
from launcher.wizard.model.text import (
    HEAD,
    NARROW_HEAD,
    count_line,
    detail_lines,
    hub_name,
    model_row,
    side_lines,
)
from launcher.wizard.model.title import Title
from launcher.wizard.model.used import is_downloaded, models_used_before
from launcher.wizard.model.verdicts import Verdict, verdict_of
from launcher.wizard.step import StepScreen
from launcher.wizard.widgets.key_bar import Key
from launcher.wizard.widgets.lines_view import LinesView
from launcher.wizard.widgets.row_list import RowList
from launcher.wizard.widgets.text_field import TextField

_SLICE_SECONDS = 0.012
"""Verdicts are worked out in slices this long, so that a key never waits for them."""


class ModelStep(StepScreen):
    """The list, filtered as one types; a Hub name or a folder adds a row."""

    number = 1
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("left", "variant(-1)", show=False),
        Binding("right", "variant(1)", show=False),
        Binding("slash", "filter", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._used: tuple[str, ...] = ()
        self._catalogue = Catalogue()
        self._shown = list(self._catalogue.rows)
        self._instruct = True
        self._suggested: str | None = None
        self._moved_by_hand = False

    def body(self) -> Iterable[Widget]:
        """The filter, the list, and what is known of the current row."""
        yield Title()
        yield LinesView([()])
        yield RowList(id="models")
        yield LinesView(id="details", wraps=True)

    CSS = """
    ModelStep #models { height: 1fr; min-height: 4; }
    ModelStep #title { height: 1; }
    ModelStep #title LinesView { width: 24; }
    ModelStep #title TextField { width: 1fr; }
    ModelStep #title #count { width: 30; }
    ModelStep.narrow #title #count { width: 13; }
    """

    def side(self, width: int) -> Sequence[Line]:
        """What the current model is and needs."""
        row = self._current()
        return list(
            side_lines(
                row,
                self._verdict(row),
                budget=self.draft.budget,
                instruct=self._instruct,
                suggested=row is not None and row.name == self._suggested,
                width=width,
            )
        )

    def keys(self) -> Sequence[Key]:
        """Next, back, filter or list."""
        typing = self.types_text()
        return [
            Key("enter", "Next", "screen.next"),
            Key("esc", "Back", "screen.back"),
            Key("tab", "List", "app.focus_next") if typing else Key("/", "Filter", "screen.filter"),
        ]

    def topics(self) -> Sequence[str]:
        """What models differ in, and what the columns say."""
        return ("verdict", "base-model", "instruct-model", "parameters", "context", "gated", "full",
                "lora", "qlora")  # fmt: skip

    def on_mount(self) -> None:
        """Show the list, then work out verdicts and look for earlier runs."""
        super().on_mount()
        self.query_one(TextField).focus()
        self._look_for_earlier_runs()
        chosen = self._row_of_draft()
        if chosen is not None:
            self.query_one(RowList).move_to(self._shown.index(chosen), middle=True)
        self.call_after_refresh(self._work_on)

    def _row_of_draft(self) -> Listed | None:
        model = self.draft.model
        return next((row for row in self._shown if model and row.name == model.planned.id), None)

    def on_screen_resume(self) -> None:
        """Verdicts are of another card now, maybe, and the models those of other rows."""
        if self.draft.learns != self._catalogue.learns:
            self._list_anew()
            self.query_one(TextField).value = ""
            self._moved_by_hand = False
            self._filter(keep=self._row_of_draft())
        super().on_screen_resume()
        self.call_after_refresh(self._work_on)

    @work(thread=True)
    def _look_for_earlier_runs(self) -> None:
        used = models_used_before()
        if used:
            self.app.call_from_thread(self._take_used, used)

    def _take_used(self, used: tuple[str, ...]) -> None:
        self._used = used
        self._list_anew()
        self._filter(keep=None if not self._moved_by_hand else self._current())

    def _list_anew(self) -> None:
        self._catalogue = Catalogue(self._used, self.draft.learns, self._catalogue.read)
        self._shown = list(self._catalogue.rows)

    def _work_on(self) -> None:
        """Verdicts of the rows in sight first, then all others, in slices."""
        if not self.is_current:
            return
        visible = [self._shown[at].model for at in self.query_one(RowList).visible_rows]
        in_sight = [model for model in visible if model is not None]
        done = self.app.verdicts.work((*in_sight, *self._catalogue.models), seconds=_SLICE_SECONDS)
        self.query_one(RowList).refresh()
        if done:
            self._suggest()
            self.refresh_frame()
        else:
            self.set_timer(0.001, self._work_on)

    def _suggest(self) -> None:
        on_cpu = self.draft.budget is not None and self.draft.budget.device == "cpu"
        self._suggested = suggestion(self.app.verdicts, on_cpu=on_cpu)
        untouched = not self._moved_by_hand and not self.query_one(TextField).value
        suited = self.draft.model is None or self._row_of_draft() is None
        if untouched and suited and not self._catalogue.rows[0].used_before:
            for at, row in enumerate(self._shown):
                if row.name == self._suggested:
                    self.query_one(RowList).move_to(at, middle=True)
        self._show_details()

    def show_draft(self) -> None:
        """The list as it is filtered."""
        self._show_rows()

    def _show_rows(self, cursor: int | None = None) -> None:
        self.query_one(RowList).show(
            NARROW_HEAD if self.narrow else HEAD,
            lambda at: model_row(
                self._shown[at], self._verdict(self._shown[at]), narrow=self.narrow
            ),
            count=len(self._shown),
            cursor=cursor,
        )
        count, budget = len(self._shown), self.draft.budget
        self.query_one("#count", LinesView).show(lambda width: [count_line(count, budget, width)])
        self._show_details()

    def _show_details(self) -> None:
        row = self._current()
        name = hub_name(row, instruct=self._instruct) if row else None
        self.query_one("#details", LinesView).show(
            detail_lines(
                row,
                instruct=self._instruct,
                shape=shape_of(row),
                here=name is not None and is_downloaded(name),
                brief=self.cramped,
            )
        )
        self.refresh_frame()

    def _verdict(self, row: Listed | None) -> Verdict | None:
        if row is not None and row.model is not None:
            return self.app.verdicts.of(row.model.id)
        if row is None or row.chosen is None:
            return None
        # The card may have changed since it was read.
        return verdict_of(row.chosen.planned, self.draft.budget, self.draft.learns)

    def _current(self) -> Listed | None:
        if not self._shown:
            return None
        return self._shown[min(self.query_one(RowList).cursor, len(self._shown) - 1)]

    @on(Input.Changed)
    def _typed(self) -> None:
        self.tell(None)
        self._filter(keep=None)

    def _filter(self, *, keep: Listed | None) -> None:
        self._shown = self._catalogue.matching(self.query_one(TextField).value)
        self._show_rows(self._shown.index(keep) if keep in self._shown else 0)

    @on(RowList.Moved)
    def _moved(self) -> None:
        self._show_details()

    @on(TextField.Beyond)
    def _beyond(self, event: TextField.Beyond) -> None:
        self.action_variant(event.direction)

    def action_move(self, by: int) -> None:
        """Arrows move in the list also while typing."""
        self._moved_by_hand = True
        self.query_one(RowList).action_move(by)

    def action_page(self, by: int) -> None:
        """Pages too."""
        self._moved_by_hand = True
        self.query_one(RowList).action_page(by)

    def action_variant(self, _direction: int) -> None:
        """Base or instruct, where hwdb has both."""
        self._instruct = not self._instruct
        self._show_details()

    def action_filter(self) -> None:
        """Type into the filter."""
        self.query_one(TextField).focus()

    def action_next(self) -> None:
        """Take the current model; one that cannot be planned cannot be left behind."""
        row = self._current()
        if row is None:
            text = self.query_one(TextField).value.strip()
            try:
                resolve_model(text)
            except TlplanError as failure:
                self.tell(failure)
            return
        if row.kind == "to be read":
            self.tell(f"reading the numbers of {row.name} …")
            self._read_model(row.name)
            return
        try:
            self._take(chosen_of(row, instruct=self._instruct))
        except TlplanError as failure:
            self.tell(failure)

    def _take(self, model: ChosenModel) -> None:
        self.app.draft = with_model(self.draft, model)
        self.app.go_to(2)

    @work(thread=True, exclusive=True, group="model")
    def _read_model(self, name: str) -> None:
        try:
            read = read_model(name, self.draft)
        except TlplanError as failure:
            self.app.call_from_thread(self._tell_of, name, failure)
        else:
            self.app.call_from_thread(self._take_read, read)

    def _tell_of(self, name: str, failure: TlplanError) -> None:
        if self.query_one(TextField).value.strip() == name:
            self.tell(failure)

    def _take_read(self, read: Listed) -> None:
        if self.query_one(TextField).value.strip() != read.name:
            return  # something else was typed meanwhile
        self._catalogue = self._catalogue.with_read(read)
        self._filter(keep=read)
        self.tell(f"read {read.name}; Enter goes on with it")
