"""The screen of a run that is over: the result, or why it stopped and what can be done."""

from __future__ import annotations

import time
from typing import ClassVar, Literal, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from launcher import again
from launcher.errors import TlplanError
from launcher.runs.folder import RunFolder
from launcher.view.ended import Choice, Ended
from launcher.view.looking import Size
from launcher.view.reader import RunReader
from launcher.view.result import shown_path
from launcher.view.screen.ending import EndLooking, EndScreen, end_screen
from launcher.view.screen.help import ended_help
from launcher.wizard.closing import ClosingScreen
from launcher.wizard.overlay import Overlay
from launcher.wizard.run.log_screen import LogScreen
from launcher.wizard.run.picture import Picture
from launcher.wizard.widgets.key_bar import HELP, Key, KeyBar

_CLOSE = Key("esc", "Close", "screen.close")
_ENTER_CLOSES = Key("enter", "Close", "screen.close")
_CHOOSE = Key("enter", "Do this", "screen.choose")
_VIEW = Key("v", "View the run", "screen.view")
_LOG = Key("l", "Log", "screen.log")
_NEW = Key("n", "New plan", "screen.new_plan")
_COPY = Key("y", "Copy path", "screen.copy_folder")


class NextStep(NamedTuple):
    """What is wanted after looking at the end of a run."""

    want: Literal["closed", "new plan", "view", "started"]
    folder: RunFolder | None = None
    """With "started": the run that goes on now."""


class EndedScreen(ClosingScreen[NextStep]):
    """Shows the end; Enter does the choice that is marked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,d,ctrl+c", "close", show=False),
        Binding("enter", "choose", show=False),
        Binding("v", "view", show=False),
        Binding("l", "log", show=False),
        Binding("n", "new_plan", show=False),
        Binding("y", "copy_folder", show=False),
        Binding("question_mark,f1", "help", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "scroll(-8)", show=False),
        Binding("pagedown,space", "scroll(8)", show=False),
    ]

    def __init__(self, reader: RunReader, ended: Ended, *, offers_new_plan: bool = False) -> None:
        super().__init__()
        self.reader = reader
        self.ended = ended
        self.looking = EndLooking()
        self.since = time.monotonic()
        """When it was opened."""
        self._offers_new_plan = offers_new_plan
        self._busy = False
        self._picture = Picture(lambda size: self._page(size).lines)
        self._keys = KeyBar(self.shown_keys())

    def compose(self) -> ComposeResult:
        """The picture and the keys."""
        yield self._picture
        yield self._keys

    def on_resize(self) -> None:
        """Another size, another layout."""
        self.draw()

    def draw(self) -> EndScreen:
        """Show it, and return what is shown."""
        self._picture.draw()
        return self._page(self._picture.shown_size)

    def _page(self, size: Size) -> EndScreen:
        return end_screen(self.reader.progress, self.ended, self.reader.folder, size, self.looking)

    def shown_keys(self) -> list[Key]:
        """The keys that work now, the most wanted first."""
        first = [_CHOOSE, _CLOSE] if self.ended.choices else [_ENTER_CLOSES]
        new = [_NEW] if self._offers_new_plan else []
        return [*first, _VIEW, _LOG, *new, HELP, _COPY]

    def say(self, text: str | None) -> None:
        """Put a sentence above the keys."""
        self.looking.note = text
        self.draw()

    def action_close(self) -> None:
        """Leave."""
        self.dismiss(NextStep("closed"))

    def action_view(self) -> None:
        """The run screen, with its charts."""
        self.dismiss(NextStep("view"))

    def action_new_plan(self) -> None:
        """Back to planning, where there is a wizard."""
        if self._offers_new_plan:
            self.dismiss(NextStep("new plan"))

    def action_choose(self) -> None:
        """Do what is marked, in the background: checks may take a while."""
        if not self.ended.choices:
            self.action_close()
            return
        if self._busy:
            return
        self._busy = True
        choice = self.ended.choices[self.looking.chosen]
        self.say("starting ..." if choice.action == "resume" else "checking and starting ...")
        self.run_worker(lambda: self._do(choice), thread=True, exit_on_error=False)

    def _do(self, choice: Choice) -> None:
        try:
            if choice.retry is not None and choice.action == "again":
                folder = again.start_anew(self.reader.folder, choice.retry.run_plan)
            else:
                folder = again.resume_here(self.reader.folder)
        except TlplanError as failure:
            self.app.call_from_thread(self._failed, ". ".join((failure.message, *failure.hints)))
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is said here
            self.app.call_from_thread(self._failed, f"it could not be started: {failure}")
        else:
            self.app.call_from_thread(self.dismiss, NextStep("started", folder))

    def _failed(self, text: str) -> None:
        self._busy = False
        self.say(text)

    def action_log(self) -> None:
        """The worker's output on the whole screen."""
        log = self.reader.folder.log
        self.app.push_screen(LogScreen(log, shown_path(log)))

    def action_copy_folder(self) -> None:
        """Put the path of the run folder on the clipboard, where the terminal allows it."""
        path = str(self.reader.folder.path)
        self.app.copy_to_clipboard(path)
        self.say(f"copied {path}")

    def action_help(self) -> None:
        """The keys."""
        self.app.push_screen(Overlay(ended_help))

    def action_move(self, by: int) -> None:
        """Another choice; without choices, another line."""
        if not self.ended.choices:
            self.action_scroll(by)
            return
        last = len(self.ended.choices) - 1
        self.looking.chosen = max(0, min(self.looking.chosen + by, last))
        self.looking.scrolled = 10_000 if self.looking.chosen else self.looking.scrolled
        self.draw()

    def action_scroll(self, by: int) -> None:
        """Show the lines further down."""
        hidden = self.draw().hidden
        self.looking.scrolled = max(0, min(self.looking.scrolled + by, hidden))
        self.draw()

    def on_picture_scrolled(self, event: Picture.Scrolled) -> None:
        """The wheel scrolls."""
        self.action_scroll(event.by)

    def on_picture_clicked(self, event: Picture.Clicked) -> None:
        """A click marks a choice; a click on the marked one does it."""
        number = self.draw().choice_rows.get(event.row)
        if number is None:
            return
        if number == self.looking.chosen:
            self.action_choose()
        else:
            self.looking.chosen = number
            self.draw()
