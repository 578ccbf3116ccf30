"""What every app here has in common: its themes, no colour where none is wanted, and its failures.

Textual itself would print a traceback with the values of every variable, tokens included.
"""

from __future__ import annotations

import os
from typing import Generic, TypeVar

from textual.app import App
from textual.css.query import NoMatches

from launcher.wizard.look import DARK, MEANINGS_ON_DARK, STYLES, THEMES, meanings

Result = TypeVar("Result")
_COLOURLESS_THEME = "ansi-dark"
"""The terminal's own foreground and background; with NO_COLOR Textual leaves all else out."""


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
        for each in THEMES:
            self.register_theme(each)
        wanted = _COLOURLESS_THEME if colourless else theme
        self.theme = wanted if wanted in self.available_themes else DARK

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
        if self._exception is not None:
            raise self._exception
        return result

    def _handle_exception(self, error: Exception) -> None:
        # A screen that is still being put up while the app ends has no parts; nobody will see it.
        if (self._exit or not self._running) and isinstance(error, NoMatches):
            self._fatal_error()
        else:
            super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Instead of Textual's own, which prints."""
        self._close_messages_no_wait()
