"""The screen of one run, live or ended; any app of this folder can push it.

    app.push_screen(RunScreen(run_folder), callback)

The callback gets a `Leaving`: how the person left.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from launcher.runs.folder import RunFolder
from launcher.view.ended import Ended, look_back
from launcher.view.looking import Looking, Size
from launcher.view.reader import RunReader
from launcher.view.result import shown_path
from launcher.view.screen.help import run_help
from launcher.view.screen.layout import run_lines
from launcher.view.spans import Line
from launcher.view.stopping import send_stop
from launcher.wizard.closing import ClosingScreen
from launcher.wizard.overlay import Overlay
from launcher.wizard.run.ended_screen import EndedScreen, NextStep
from launcher.wizard.run.log_screen import LogScreen
from launcher.wizard.run.picture import Picture
from launcher.wizard.run.question import Question
from launcher.wizard.widgets.key_bar import HELP, Key, KeyBar

REFRESH_SECONDS = 0.5
CURSOR_STEP = 1 / 64
"""Share of the chart that the arrow keys move by."""

Leaving = Literal["detached", "closed", "new plan"]
"""The run goes on without a view; it is over and was looked at; another one is wanted."""

_LEAVE = Key("d", "Leave it running", "screen.leave")
_STOP = Key("s", "Save and stop", "screen.stop")
_LOG = Key("l", "Log", "screen.log")
_CHART = Key("c", "Chart", "screen.next_chart")
_GPU = Key("g", "GPU", "screen.next_device")
_FREEZE = Key("space", "Freeze", "screen.freeze")
_UNFREEZE = Key("space", "Go on", "screen.freeze")
_CLOSE = Key("d", "Close", "screen.leave")
_RESULT = Key("r", "How it ended", "screen.end")


class RunScreen(ClosingScreen[Leaving]):
    """Reads a run folder twice a second and shows it until the person leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "leave", show=False),
        Binding("s,ctrl+c", "stop", show=False),
        Binding("r,enter", "end", show=False),
        Binding("l", "log", show=False),
        Binding("c", "next_chart", show=False),
        Binding("g", "next_device", show=False),
        Binding("space", "freeze", show=False),
        Binding("y", "copy_folder", show=False),
        Binding("question_mark,f1", "help", show=False),
        Binding("up,k", "scroll(1)", show=False),
        Binding("down,j", "scroll(-1)", show=False),
        Binding("pageup", "scroll(10)", show=False),
        Binding("pagedown", "scroll(-10)", show=False),
        Binding("home", "scroll(1000000)", show=False),
        Binding("end", "scroll(-1000000)", show=False),
        Binding("left", "look_back(-1)", show=False),
        Binding("right", "look_back(1)", show=False),
        Binding("escape", "now", show=False),
    ]

    def __init__(
        self,
        run_folder: Path,
        *,
        offers_new_plan: bool = False,
        until_seconds: float | None = None,
    ) -> None:
        """`offers_new_plan` where there is a wizard to go back to.

        With `until_seconds` the run is shown as it was that long after its start.
        """
        super().__init__()
        self.reader = RunReader(RunFolder(run_folder), until_seconds=until_seconds)
        self._offers_new_plan = offers_new_plan
        self._end_shown = False
        self.looking = Looking()
        self._picture = Picture(self._lines)
        self._keys = KeyBar(self.shown_keys())

    def compose(self) -> ComposeResult:
        """The picture and the keys."""
        yield self._picture
        yield self._keys

    def on_mount(self) -> None:
        """Start looking, before the first painting."""
        self.reader.read()
        self._keys.show(self.shown_keys())
        self.set_interval(REFRESH_SECONDS, self.look)
        self.call_after_refresh(self.look)

    def on_resize(self) -> None:
        """Another size, another layout."""
        self.draw()

    def on_screen_resume(self) -> None:
        """Back from the log or a question."""
        self.draw()

    @property
    def folder(self) -> RunFolder:
        """The run that is shown."""
        return self.reader.folder

    def look(self) -> None:
        """Read what is new and show it; a long log is read in several goes."""
        self.reader.read()
        if not self.looking.frozen:
            self.draw()
        if not self.reader.caught_up:
            self.call_later(self.look)
        elif self.over and not self._end_shown and self.is_current:
            self._end_shown = True
            self.action_end()

    @property
    def over(self) -> bool:
        """Whether the run has ended, well or not."""
        return self.reader.caught_up and self.reader.liveness != "running"

    def draw(self) -> None:
        """Show what was read."""
        if not self.is_current:
            return
        self._picture.draw()
        self._keys.show(self.shown_keys())

    def _lines(self, size: Size) -> Sequence[Line]:
        return run_lines(
            self.reader.progress,
            size,
            self.looking,
            folder=shown_path(self.folder.path),
            trouble=self.reader.trouble,
        )

    def shown_keys(self) -> list[Key]:
        """The keys that work now, the most wanted first: a narrow line drops the last ones."""
        several = [_GPU] if len(self.reader.progress.memories) > 1 else []
        freeze = _UNFREEZE if self.looking.frozen else _FREEZE
        if self.over:
            return [_RESULT, _CLOSE, _LOG, _CHART, *several, HELP]
        return [_LEAVE, _STOP, _LOG, _CHART, *several, HELP, freeze]

    def say(self, text: str | None) -> None:
        """Put a sentence above the keys."""
        self.looking.note = text
        self.draw()

    def action_leave(self) -> None:
        """Close the view; the run goes on."""
        self.dismiss("detached" if self.reader.liveness == "running" else "closed")

    def action_stop(self) -> None:
        """Ask, then ask the run to save and stop; when it does so already, to stop at once."""
        if self.reader.liveness != "running":
            self.action_leave()
            return
        again = self.reader.progress.phase == "stopping"
        question = _stop_at_once() if again else _save_and_stop(self.folder.typed)
        said = "stopping at once" if again else "stopping after this step and saving"

        def answered(yes: bool | None) -> None:
            if yes:
                send_stop(self.folder, at_once=again)
                self.say(said)

        self.app.push_screen(question, answered)

    def action_end(self) -> None:
        """How the run ended and what can be done, once it has."""
        if self.over:
            self.run_worker(self._look_back, thread=True, exclusive=True)

    def _look_back(self) -> None:
        ended = look_back(self.folder, self.reader.progress, self.reader.liveness)
        self.app.call_from_thread(self._show_end, ended)

    def _show_end(self, ended: Ended) -> None:
        if self.is_current and not self.closed:
            screen = EndedScreen(self.reader, ended, offers_new_plan=self._offers_new_plan)
            self.app.push_screen(screen, self._after_end)

    def _after_end(self, step: NextStep | None) -> None:
        want = "closed" if step is None else step.want
        if want == "view":
            self.draw()
        elif step is not None and step.folder is not None:
            self._open(step.folder)
        else:
            self.dismiss("new plan" if want == "new plan" else "closed")

    def _open(self, folder: RunFolder) -> None:
        """Show a run from its beginning: one that goes on again, or another one."""
        self.reader = RunReader(folder)
        self.looking = Looking()
        self._end_shown = False
        self.look()

    def action_log(self) -> None:
        """The worker's output on the whole screen."""
        self.app.push_screen(LogScreen(self.folder.log, shown_path(self.folder.log)))

    def action_help(self) -> None:
        """What the names mean, and the keys."""
        device = self.reader.progress.device
        self.app.push_screen(Overlay(lambda width: run_help(width, device=device)))

    def action_next_chart(self) -> None:
        """Memory, loss, speed."""
        self.looking.next_chart()
        self.draw()

    def action_next_device(self) -> None:
        """The next card, where there are several."""
        progress = self.reader.progress
        at = progress.fullest if self.looking.device is None else self.looking.device
        self.looking.device = (at + 1) % len(progress.memories)
        self.draw()

    def action_freeze(self) -> None:
        """Hold the view; the run and the reading go on."""
        self.looking.frozen = not self.looking.frozen
        self.draw()

    def action_copy_folder(self) -> None:
        """Put the path of the run folder on the clipboard, where the terminal allows it."""
        path = str(self.folder.path)
        self.app.copy_to_clipboard(path)
        self.say(f"copied {path}")

    def action_scroll(self, by: int) -> None:
        """Show older or newer lines of what happened."""
        most = len(self.reader.progress.lines)
        self.looking.scrolled = max(0, min(self.looking.scrolled + by, most))
        self.draw()

    def action_look_back(self, by: int) -> None:
        """Move the cursor over the chart's time."""
        at = self.looking.cursor
        if at is None:
            at = 1.0 if by < 0 else 0.0
        self.looking.cursor = max(0.0, min(1.0, at + by * CURSOR_STEP))
        self.draw()

    def action_now(self) -> None:
        """Forget the cursor, the scrolling and the note."""
        self.looking.cursor, self.looking.scrolled, self.looking.note = None, 0, None
        self.draw()

    def on_picture_scrolled(self, event: Picture.Scrolled) -> None:
        """The wheel scrolls what happened."""
        self.action_scroll(-event.by)


def _save_and_stop(typed: str) -> Question:
    return Question(
        "Save and stop this run?",
        [
            "Training stops after the step it is in, and a checkpoint is",
            "written. It goes on from there with",
            f"  tlplan resume {typed}",
        ],
        yes="Save and stop",
        no="Go on training",
    )


def _stop_at_once() -> Question:
    return Question(
        "Stop at once, without saving?",
        ["It is saving already. What was trained since the last checkpoint", "would be lost."],
        yes="Stop at once",
        no="Let it save",
    )
