"""Step 5: what will be done, checked; start it, or save it as a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from launcher.errors import TlplanError
from launcher.settling import ReadyPlan, ready_plan
from launcher.view.spans import Line
from launcher.wizard.draft import final_plan
from launcher.wizard.start.beginning import begin, save_plan
from launcher.wizard.start.checks import Check, checks
from launcher.wizard.start.command import command_text
from launcher.wizard.start.text import check_lines, command_lines, side_lines, summary_lines
from launcher.wizard.step import StepScreen
from launcher.wizard.widgets.choice import Choice
from launcher.wizard.widgets.key_bar import Key
from launcher.wizard.widgets.lines_view import LinesView


class StartStep(StepScreen):
    """The plan as it will be carried out; its checks run while it is read."""

    number = 4
    CSS = """
    StartStep #choices { height: 1; margin: 1 0 0 3; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "save", show=False),
        Binding("y", "copy", show=False),
        Binding("r", "check_again", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._ready: ReadyPlan | None = None
        self._checked: tuple[Check, ...] = ()
        self._busy = False
        self._starting = False
        self._begun = False

    def body(self) -> Iterable[Widget]:
        """Summary, checks, command, and the two ways out."""
        yield LinesView(id="summary", wraps=True)
        yield LinesView(id="checks", wraps=True)
        yield LinesView(id="command", wraps=True)
        yield _Ways()

    def side(self, width: int) -> Sequence[Line]:
        """What happens next."""
        return list(side_lines(self._ready, simulated=self.draft.simulated, width=width))

    def keys(self) -> Sequence[Key]:
        """Start, back, save, copy."""
        start = [] if self.draft.simulated else [Key("enter", "Start", "screen.next")]
        save = "enter" if self.draft.simulated else "p"
        return [
            *start,
            Key(save, "Save plan", "screen.save"),
            Key("esc", "Back", "screen.back"),
            Key("y", "Copy command", "screen.copy"),
        ]

    def topics(self) -> Sequence[str]:
        """What a run does."""
        return ("checkpoint", "held-out", "early-stopping", "overfitting", "step", "epoch",
                "out-of-memory", "diverged", "hub", "gated")  # fmt: skip

    def on_screen_resume(self) -> None:
        """What is shown is checked now, not when it was planned."""
        super().on_screen_resume()
        self._begun = False
        self._begin_checks()

    def on_mount(self) -> None:
        """Start is what Enter does."""
        super().on_mount()
        self.query_one("#start", Choice).focus()

    def show_draft(self) -> None:
        """The plan as a file would hold it."""
        try:
            plan = final_plan(self.draft, weigh=True)
            self._ready = ready_plan(plan, out=None)
        except TlplanError as failure:
            self._ready = None
            self.tell(failure)
            return
        self.query_one("#summary", LinesView).show(summary_lines(self.draft, plan, self._ready))
        self.query_one("#command", LinesView).show(
            lambda width: command_lines(command_text(self.draft), width)
        )
        self.query_one("#start", Choice).display = not self.draft.simulated
        self._show_checks()

    def _show_checks(self) -> None:
        self.query_one("#checks", LinesView).show(
            check_lines(self._checked, busy=self._busy, simulated=self.draft.simulated)
        )

    def _begin_checks(self) -> None:
        if self._ready is None or self.draft.simulated:
            return
        self._checked, self._busy = (), True
        self._show_checks()
        self._check(self._ready)

    @work(thread=True, exclusive=True, group="checks")
    def _check(self, ready: ReadyPlan) -> None:
        found = tuple(checks(ready))
        self.app.call_from_thread(self._take_checks, found)

    def _take_checks(self, found: tuple[Check, ...]) -> None:
        self._checked, self._busy = found, False
        self._show_checks()
        if self._starting:
            self._starting = False
            self.action_next()

    @property
    def _refusal(self) -> Check | None:
        return next((each for each in self._checked if each.state == "bad"), None)

    @on(Choice.Pressed)
    def _pressed(self, event: Choice.Pressed) -> None:
        if event.choice.id == "save":
            self.action_save()
        else:
            self.action_next()

    def action_next(self) -> None:
        """Start, unless a launch would refuse; what is focused decides between the two buttons."""
        if self._ready is None or self._begun:
            return
        if self.draft.simulated or self.query_one("#save", Choice).has_focus:
            self.action_save()
            return
        if self._busy:
            self._starting = True
            self.tell("starting as soon as everything is checked")
            return
        if self._refusal is not None:
            self.tell(f"this cannot be started yet: {self._refusal.text}", kind="error")
            return
        self.tell("starting …")
        self._begun = True
        self._start(self._ready)

    @work(thread=True, exclusive=True, group="start")
    def _start(self, ready: ReadyPlan) -> None:
        try:
            folder = begin(ready)
        except TlplanError as failure:
            self.app.call_from_thread(self._not_started, failure)
        else:
            self.app.call_from_thread(self.app.show_run, folder)

    def _not_started(self, failure: TlplanError) -> None:
        self._begun = False
        self.show_draft()  # the run folder's name may be taken now
        self.tell(failure)

    def action_save(self) -> None:
        """Save the plan; one that launch would refuse everywhere is not saved."""
        if self._ready is None:
            return
        refusal = self._refusal
        if refusal is not None and not refusal.elsewhere:
            self.tell(f"launch would refuse this plan: {refusal.text}", kind="error")
            return
        try:
            path = save_plan(self._ready, Path.cwd())
        except TlplanError as failure:
            self.tell(failure)
            return
        self.app.leave_with_plan(path)

    def action_copy(self) -> None:
        """Put the command into the clipboard, where the terminal lets a program do that."""
        self.app.copy_to_clipboard(command_text(self.draft))
        self.tell("the command is in the clipboard, if the terminal allows it")

    def action_check_again(self) -> None:
        """Look again, after something was mended."""
        self.show_draft()
        self._begin_checks()


class _Ways(Horizontal):
    """The two buttons."""

    def __init__(self) -> None:
        super().__init__(id="choices")

    def compose(self) -> ComposeResult:
        """Start, and save."""
        yield Choice("Start training", id="start")
        yield Choice("Save the plan only", id="save")
