"""What every app here has in common: its themes, no colour where none is wanted, and its failures.

Textual itself would print a traceback with the values of every variable, tokens included.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar

from textual.app import App
from textual.css.query import NoMatches
from textual.driver import Driver
from textual.worker import WorkerFailed

from launcher.wizard.driver import steady
from launcher.wizard.look import DARK, MEANINGS_ON_DARK, STYLES, THEMES, meanings

Result = TypeVar("Result")
_COLOURLESS_THEME = "ansi-dark"
"""The terminal's own foreground and background; with NO_COLOR Textual leaves all else out."""
_LOOK_SECONDS = 2.0
"""Between two looks whether the terminal is still there."""


class TerminalApp(App[Result], Generic[Result]):
    """Looks as the terminal allows; ends without a word when it fails, see `run_and_tell`."""

    TITLE = "tlplan"
    CSS = STYLES

    def __init__(self, *, theme: str = DARK, ascii_only: bool = False) -> None:
        """`theme` is one of ours or of Textual's; any other name is as good as none."""
        colourless = bool(os.environ.get("NO_COLOR"))
        super().__init__(ansi_color=colourless or None)
        self.ascii_only = ascii_only
        """Whether widgets write ASCII alone."""
        self._heard_before: dict[int, Any] = {}
        self._has_terminal = sys.__stdin__ is not None and sys.__stdin__.isatty()
        for each in THEMES:
            self.register_theme(each)
        wanted = _COLOURLESS_THEME if colourless else theme
        self.theme = wanted if wanted in self.available_themes else DARK

    def get_driver_class(self) -> type[Driver]:
        """Textual's own, made steadier; in a browser there is no terminal to care for."""
        own = super().get_driver_class()
        return own if os.environ.get("TEXTUAL_DRIVER") else steady(own)

    def on_load(self) -> None:
        """Before the terminal is changed: see to it that no signal leaves it so."""
        hear = partial(self._hear, asyncio.get_running_loop())
        with suppress(ValueError):  # no main thread
            for number in self.heard_signals():
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._heard_before[number] = signal.signal(number, hear) or signal.SIG_DFL
        if self._has_terminal:
            # With SIGHUP ignored, as below nohup, nothing else would tell.
            self.set_interval(_LOOK_SECONDS, self._die_with_the_terminal)

    def heard_signals(self) -> tuple[signal.Signals, ...]:
        """Those that end it in an orderly way."""
        return (signal.SIGTERM, signal.SIGHUP)

    def _hear(self, loop: asyncio.AbstractEventLoop, number: int, _frame: object) -> None:
        # asyncio's own handlers lose a signal behind three hundred keys that nobody has read yet:
        # they come through the same small buffer.
        with suppress(RuntimeError):  # closed
            loop.call_soon_threadsafe(self._asked_by, number)

    def _asked_by(self, number: int) -> None:
        self._die_with_the_terminal()
        if number == signal.SIGHUP:
            self._end()
        else:
            self.told_to_end()

    def told_to_end(self) -> None:
        """Somebody wants this process gone."""
        self._end()

    def _end(self) -> None:
        # Whoever asks again wants it gone at once.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self.call_later(self.action_quit)

    async def _shutdown(self) -> None:
        try:
            await super()._shutdown()
        finally:  # the terminal is as before by now
            for number, handler in self._heard_before.items():
                signal.signal(number, handler)

    def _die_with_the_terminal(self) -> None:
        """End as a hangup ends programs, when there is nothing to restore and nobody to tell."""
        if self._has_terminal and terminal_is_gone():
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGHUP)

    def action_command_palette(self) -> None:
        """What can be done here, to look through."""
        from launcher.wizard.commands import Commands

        if self.use_command_palette and not isinstance(self.screen, Commands):
            self.push_screen(Commands())

    def search_themes(self) -> None:
        """The themes to choose from."""
        from textual.theme import ThemeProvider

        from launcher.wizard.commands import Commands

        self.push_screen(Commands(providers=[ThemeProvider], placeholder="Search for themes…"))

    def keep_theme_choices(self) -> None:
        """From now on write down which theme is chosen, for the next time."""
        if not os.environ.get("NO_COLOR"):
            self.watch(self, "theme", self._keep_theme, init=False)

    def _keep_theme(self, theme: str) -> None:
        from launcher.wizard.taste import keep_theme

        problem = keep_theme(theme)
        if problem is not None:
            self.notify(problem, severity="warning")

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Colours by meaning, also in themes that know none of them."""
        theme = self.get_theme(self.theme) if self.theme else None
        return MEANINGS_ON_DARK if theme is None else meanings(theme)

    def run_and_tell(self) -> Result | None:
        """Run until it is left; raises what made it fail, once the terminal is as before."""
        result = self.run()
        self._die_with_the_terminal()
        if self._exception is not None:
            raise self._exception
        return result

    def _handle_exception(self, error: Exception) -> None:
        cause = error.error if isinstance(error, WorkerFailed) else error
        # A screen that is still being put up while the app ends has no parts; nobody will see it.
        if (self._exit or not self._running) and isinstance(cause, NoMatches):
            self._fatal_error()
        elif isinstance(error, WorkerFailed) and isinstance(cause, NoMatches):
            pass  # what it worked for was closed meanwhile
        else:
            super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Instead of Textual's own, which prints."""
        self._close_messages_no_wait()


def terminal_is_gone() -> bool:
    """Whether the window of the terminal was closed, or its connection lost."""
    if sys.__stdin__ is None or sys.__stdin__.isatty():
        return False
    looked_at = select.poll()
    looked_at.register(sys.__stdin__.fileno(), select.POLLIN)
    return any(state & (select.POLLHUP | select.POLLERR) for _, state in looked_at.poll(0))
