"""Screens that close once, and take nothing with them but themselves."""

from __future__ import annotations

from typing import Generic, TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, Screen

Result = TypeVar("Result")


class ClosingScreen(Screen[Result], Generic[Result]):
    """Textual closes whatever is on top, as often as it is asked; this closes itself, once.

    A second key may come before the screen is gone, and what was started in the background may be
    done while help or the log lie over it: then it closes as soon as it is on top again.
    """

    closed = False
    """Whether it was left; it may be seen for a moment yet."""
    _awaited: tuple[Result | None] | None = None

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Close, now or as soon as nothing lies over it."""
        # Textual's `is_current` also holds for what a modal screen lies over.
        if self.app.screen is self and not self.closed:
            self.closed = True
            return super().dismiss(result)
        if not self.closed and self in self.app.screen_stack:
            self._awaited = (result,)
        return AwaitComplete()

    def on_screen_resume(self) -> None:
        """What lay over it is gone."""
        if self._awaited is not None:
            self.dismiss(*self._awaited)


class ClosingModal(ModalScreen[Result], ClosingScreen[Result], Generic[Result]):
    """The same for what lies over a screen that can still be seen."""
