"""Step 4: how to train, with every number recomputed at each key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from launcher.view.spans import EMPTY, Line, Span, line
from launcher.wizard.draft import Draft, RunForecast, final_plan, forecast, method_of
from launcher.wizard.method.text import (
    HEAD,
    NARROW_HEAD,
    breakdown_lines,
    difference_text,
    foot_lines,
    method_row,
    recommended_lines,
    short_text,
    title_text,
    why_lines,
)
from launcher.wizard.setting_step import SettingStep
from launcher.wizard.settings import Situation, method_settings
from launcher.wizard.widgets.key_bar import Key
from launcher.wizard.widgets.lines_view import LinesView
from launcher.wizard.widgets.row_list import RowList
from launcher.wizard.widgets.setting_list import SettingList
from planner.plan import MethodAnswer
from planner.settle import settle

_REASONS = {
    "rank": "method.name",
    "targets": "method.targets",
    "sequence_tokens": "training.sequence_tokens",
    "micro_batch": "training.micro_batch_rows",
    "accumulation": "training.accumulation_steps",
    "checkpointing": "training.checkpointing",
    "optimizer": "training.optimizer",
    "epochs": "training.epochs",
    "learning_rate": "training.learning_rate",
}
"""Where the plan keeps the reason of a setting."""


class MethodStep(SettingStep):
    """Three methods, the memory of the current one, and its settings."""

    number = 3
    CSS = """
    MethodStep #middle-row { height: auto; margin-top: 1; }
    MethodStep #parts { width: 47; }
    MethodStep #settings-side { width: 1fr; height: auto; }
    MethodStep #methods { height: 4; }
    MethodStep.narrow #middle-row { layout: vertical; }
    MethodStep.narrow #parts { width: 100%; margin-bottom: 1; }
    MethodStep.narrow #settings-side { width: 100%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("w", "why", show=False)]

    def body(self) -> Iterable[Widget]:
        """The methods above, parts and settings below."""
        yield LinesView(id="title", wraps=True)
        yield RowList(id="methods")
        yield LinesView(id="recommended", wraps=True)
        yield _Halves()
        yield LinesView(id="foot", wraps=True)

    def __init__(self) -> None:
        super().__init__()
        self._why: tuple[Draft | None, int, list[Line]] = (None, 0, [])
        self._runs: dict[str, tuple[Draft, RunForecast]] = {}

    def side(self, width: int) -> Sequence[Line]:
        """Why: what was worked out last, until that of a new draft is."""
        draft, known_width, lines = self._why
        if draft is not self.draft or known_width != width:
            self.call_after_refresh(self._explain, width)
        return lines

    def _explain(self, width: int) -> None:
        """Look how far each setting could go; that takes longer than a key may."""
        at = self.situation()
        draft, known_width, _ = self._why
        if at is None or (draft is self.draft and known_width == width):
            return
        price = self._forecast(self.draft, at.answer).price
        self._why = (self.draft, width, list(why_lines(at, price, width)))
        self.query_one("#explained", LinesView).show(self.side)

    def keys(self) -> Sequence[Key]:
        """Next, back, settings, why."""
        keys = [Key("enter", "Next", "screen.next"), Key("esc", "Back", "screen.back")]
        if self.types_text():
            return [Key("enter", "Take it", "screen.next"), Key("esc", "Leave it", "screen.back")]
        if self.query_one(SettingList).has_focus:
            keys += [Key("tab", "Methods", "app.focus_next"), Key("◂▸", "Change", "screen.help")]
            return [*keys, Key("w", "Why", "screen.why")]
        return [*keys, Key("tab", "Settings", "app.focus_next"), Key("w", "Why", "screen.why")]

    def topics(self) -> Sequence[str]:
        """The focused setting or method, then what the screen speaks of."""
        at = self.situation()
        nearest = ["lora"] if at is None else [at.answer.method]
        current = self.query_one(SettingList).current
        if self.query_one(SettingList).has_focus and current is not None:
            nearest = [current.word]
        rest = ("full", "lora", "qlora", "verdict", "band", "activations", "logits", "optimizer",
                "catastrophic-forgetting", "early-stopping")  # fmt: skip
        return (*nearest, *(each for each in rest if each not in nearest))

    def on_mount(self) -> None:
        """The methods are what is decided here."""
        super().on_mount()
        self.query_one(RowList).focus()

    def situation(self) -> Situation | None:
        """The current method."""
        if self.draft.model is None:
            return None
        plan = self.app.plan
        return Situation(
            draft=self.draft, plan=plan, answer=plan.answer(method_of(self.draft, plan))
        )

    def show_draft(self) -> None:
        """Everything anew."""
        at = self.situation()
        if at is None:
            return
        plan, answer = at.plan, at.answer
        self.query_one("#title", LinesView).show(
            [line(Span(f" {title_text(plan)}", "strong")), EMPTY]
        )
        rows = [
            method_row(each, self._forecast(self.draft, each), narrow=self.narrow)
            for each in plan.answers
        ]
        head = NARROW_HEAD if self.narrow else HEAD
        self.query_one(RowList).show(head, rows, cursor=plan.answers.index(answer))
        self.query_one("#recommended", LinesView).show(recommended_lines(plan, self._ways(at)))
        self.query_one("#parts", LinesView).show(breakdown_lines(answer))
        settings = self.query_one(SettingList)
        settings.show(method_settings(at))
        focused = settings.current if settings.has_focus else None
        reason = self._reason(focused.key) if focused is not None else None
        self.query_one("#foot", LinesView).show(foot_lines(answer, focused, reason))
        self.refresh_frame()

    def _forecast(self, draft: Draft, answer: MethodAnswer) -> RunForecast:
        """Time and price of a method, worked out once a draft."""
        known = self._runs.get(answer.method)
        if known is None or known[0] is not draft:
            known = self._runs[answer.method] = (draft, forecast(draft, answer))
        return known[1]

    def _ways(self, at: Situation) -> tuple[tuple[str, str], ...]:
        if at.plan.fits:
            return ()
        from launcher.ways_out import ways_out  # reads every card and model

        return tuple((way.option, way.reason) for way in ways_out(at.plan))

    def _reason(self, key: str) -> str | None:
        if self.draft.data is None or key == "rank":
            return None
        at = self.situation()
        assert at is not None
        asked = replace(self.draft.asked, method=at.answer.method)
        settled = settle(final_plan(replace(self.draft, asked=asked)), folder="-")
        return settled.reasons.get(_REASONS[key])

    @on(RowList.Moved)
    def _method_moved(self) -> None:
        at = self.situation()
        assert at is not None
        method = at.plan.answers[self.query_one(RowList).cursor].method
        recommended = at.plan.recommendation
        chosen = None if recommended is not None and recommended.method == method else method
        self.app.draft = replace(self.draft, asked=replace(self.draft.asked, method=chosen))
        self.tell(None)
        self.show_draft()

    def on_descendant_focus(self) -> None:
        """The last line explains the focused setting."""
        self.show_draft()

    def changed(self, before: Situation) -> None:
        """Say the difference in memory, time and price."""
        at = self.situation()
        assert at is not None
        earlier = before.plan.answer(at.answer.method)
        told = difference_text(
            (earlier, forecast(before.draft, earlier)),
            (at.answer, self._forecast(self.draft, at.answer)),
        )
        if told is not None:
            self.tell(told, kind="changed")

    def action_why(self) -> None:
        """The explaining panel, where there is no room beside the column."""
        from launcher.wizard.overlay import Overlay

        at = self.situation()
        if at is not None:
            price = self._forecast(self.draft, at.answer).price
            self.app.push_screen(Overlay(lambda width: list(why_lines(at, price, width))))

    def action_next(self) -> None:
        """Take the method; one that does not fit cannot be taken."""
        if self.query_one(SettingList).typed is not None:
            self.query_one(SettingList).take_typed()
            return
        at = self.situation()
        assert at is not None
        answer = at.answer
        if answer.verdict.fits == "no":
            self.tell(
                f"{answer.method} does not fit: {short_text(answer)}; take another method, "
                "shorter rows, fewer at once, or another model (esc)",
                kind="error",
            )
            return
        asked = self.draft.asked
        if at.plan.recommendation is None and asked.method is None:
            self.app.draft = replace(self.draft, asked=replace(asked, method=answer.method))
        self.app.go_to(4)


class _Halves(Horizontal):
    """Parts of the memory at the left, settings at the right."""

    def __init__(self) -> None:
        super().__init__(id="middle-row")

    def compose(self) -> ComposeResult:
        """Two columns."""
        yield LinesView(id="parts")
        with Vertical(id="settings-side"):
            yield LinesView([line(Span("Change", "strong"))])
            yield SettingList(label_width=11)
